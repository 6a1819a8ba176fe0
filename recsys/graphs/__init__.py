"""Graphs of users and items, and the models that learn on them."""
