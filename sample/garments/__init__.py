"""Garments with known attributes, drawn as small pictures and described in three styles of text."""
