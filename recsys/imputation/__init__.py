"""Vectors in the place of words: of new arrivals from their pictures, of warm items from what was bought with them."""
