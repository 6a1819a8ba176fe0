"""Differences between captioners and between recommenders, with intervals and tests."""
