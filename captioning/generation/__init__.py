"""Captions of a whole catalogue: batches kept as files and shared by a cluster, and the table of captions."""
