"""Interchange with Elliot 0.3.1 (sisinflab/elliot) and its fork Ducho-meets-Elliot: the same data there, its lists here.

- `export`: a folder with the data, features and configurations that both run as they are;
- `configuration`: what stands in the configurations;
- `run`: a configuration in an interpreter that has Elliot;
- `results`: the lists that Elliot wrote, scored with our metrics beside its own figures.
"""
