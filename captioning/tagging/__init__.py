"""Finds the attributes of a text with a Stanza pipeline."""
