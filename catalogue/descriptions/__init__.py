"""Descriptions of items: the text variants of a study, and the phrases that name an attribute."""
