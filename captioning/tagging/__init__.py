"""Extracts the attributes of texts with a Stanza pipeline."""
