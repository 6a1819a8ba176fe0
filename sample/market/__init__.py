"""The sample's shop: what it sells, who buys what, written in H&M's own layout."""
