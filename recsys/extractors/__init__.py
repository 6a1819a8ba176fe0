"""Feature extractors, one file each, loaded by name."""
