"""Turns a raw catalogue into the tables of data/prepared: filters, splits, purchases."""
