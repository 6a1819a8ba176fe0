"""Comparison, report and command line: what captioning and recsys say together."""
