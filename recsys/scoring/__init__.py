"""Scores of recommendation lists: names of arms, what is relevant, metrics, slices and their tables."""
