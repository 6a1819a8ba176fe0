"""Turns a raw catalogue into data/prepared: filters, splits, purchases."""
