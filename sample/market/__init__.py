"""The sample shop: its assortment, its customers and what they buy, and H&M's layout on disk."""
