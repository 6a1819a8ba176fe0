"""Files as shops export them: which column is what, rows of one product, orders, pictures."""
