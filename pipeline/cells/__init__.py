"""Cells of tables that other programs write: the rows of a CSV, times in any unit, and words for a missing value."""
