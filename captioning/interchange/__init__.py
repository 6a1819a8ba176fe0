"""Captions and pictures of others: reads their caption files, writes captions for their pictures."""
