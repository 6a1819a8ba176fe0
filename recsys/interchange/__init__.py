"""Purchases and lists in files of other programs: reading, recommending, evaluating, exchange with Elliot."""
