"""Purchases to lists: interactions, recommenders, extractors, ranking metrics."""
