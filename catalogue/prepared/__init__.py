"""Reads data/prepared: the table of items and the packed images."""
