"""Descriptions of items: the text variants of a study, and the words that name an attribute."""
