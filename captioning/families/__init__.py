"""Captioner families, one file each, loaded by name.

A new family is one file here that offers what `Family` in captioning/modelling/captioner.py lists, and one line in
`_typed.py`, which has mypy compare it with that list. The family `file` has captions and no model.
"""
