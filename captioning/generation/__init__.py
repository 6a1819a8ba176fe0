"""Captions of a whole catalogue: batches kept as files and shared by processes, and the table of captions."""
