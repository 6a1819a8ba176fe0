"""Holm's correction: a table computed by hand, and its properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookbook.comparison.correction import correct_rows, holm


def test_holm_equals_a_table_computed_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=20))
def test_holm_never_lowers_p_and_keeps_its_order(p: list[float]) -> None:
    corrected = np.array(holm(p))
    assert (corrected >= np.array(p) - 1e-15).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()


def test_only_the_tests_of_one_metric_are_corrected_together() -> None:
    rows = [
        {"metric": "cider", "confirmatory": True, "p": 0.01},
        {"metric": "cider", "confirmatory": True, "p": 0.04},
        {"metric": "cider", "confirmatory": True, "p": 1.0, "same_by_construction": True},
        {"metric": "cider", "confirmatory": False, "p": 0.01},
        {"metric": "core_precision", "confirmatory": True, "p": 0.03},
    ]
    correct_rows(rows)
    assert [row["p_holm"] for row in rows] == [0.02, 0.04, None, None, 0.03]
