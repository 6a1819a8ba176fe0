"""Interchange with WarpRec 2.2 (sisinflab/warprec), Elliot's successor.

- `export`: a folder with the data, features, lists and configurations, which it runs without changes;
- `configuration`: the contents of the configurations;
- `run`: runs configurations with a Python that has WarpRec installed;
- `about`: the file that says what was exported;
- `results`: the lists that WarpRec wrote, scored with our metrics beside its own figures.
"""
