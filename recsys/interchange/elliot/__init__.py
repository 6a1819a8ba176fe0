"""Interchange with Elliot 0.3.1 (sisinflab/elliot) and its fork Ducho-meets-Elliot.

- `export`: a folder with the data, features and configurations, which both run without changes;
- `configuration`: the contents of the configurations;
- `run`: runs configurations with a Python that has Elliot installed;
- `about`: the file that says what was exported;
- `results`: the lists that Elliot wrote, scored with our metrics beside its own figures.
"""
