"""Holm's correction of p for the number of tests in a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Row = dict[str, Any]  # a comparison, as in metrics/comparison.json


def holm(p: Sequence[float]) -> list[float]:
    """Correct p by Holm's step-down procedure (1979), keeping the order of the rows.

    It keeps the chance of any false alarm among the rows at the level of the test: the smallest of n values is
    multiplied by n, the next by n - 1, and none becomes smaller than the one before it or larger than 1.

    >>> [round(p, 6) for p in holm([0.02, 0.01, 0.5])]
    [0.04, 0.03, 0.5]
    """
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    corrected = np.minimum(1.0, np.maximum.accumulate(np.asarray(p, dtype=float)[order] * factors))
    out = np.empty(len(p))
    out[order] = corrected
    return out.tolist()


def correct_rows(rows: list[Row]) -> None:
    """Add `p_holm` to the rows of a table: p corrected over its confirmatory rows of the same metric, null elsewhere.

    Rows that are the same by construction are no tests: they do not count in the correction.
    """
    for metric in dict.fromkeys(row["metric"] for row in rows):
        tested = [
            row
            for row in rows
            if row["metric"] == metric and row["confirmatory"] and not row.get("same_by_construction")
        ]
        for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
            row["p_holm"] = p
    for row in rows:
        row.setdefault("p_holm", None)
