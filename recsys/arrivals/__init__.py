"""New arrivals ranked by their features: models, ranks, and what the rankings bring."""
