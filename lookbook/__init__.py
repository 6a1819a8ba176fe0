"""Roof: what both wings say together."""
