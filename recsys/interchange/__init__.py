"""Purchases and lists in files of other programs: reading, recommending, evaluating; Elliot and WarpRec."""
