"""Captioner families, one file each, loaded by name."""
