"""Purchases and lists of others: reads them, recommends, evaluates, exports to Elliot."""
