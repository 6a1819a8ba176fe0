"""Recommenders, one file each, loaded by name."""
