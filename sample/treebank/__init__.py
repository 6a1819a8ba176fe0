"""Trains the small Stanza tagger that ships with Lookbook, on a treebank generated from a grammar."""
