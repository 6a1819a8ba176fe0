"""Metrics equal Elliot's figures of the same lists, values by hand, and the definitions in plain loops."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import recsys.scoring.metrics
from recsys.scoring.metrics import compute_metrics, coverage, gini, long_tail, novelty, popularity, popularity_lift
from tests.helpers import elliot

OURS = {"nDCG": "ndcg", "MAP": "map_elliot", "Recall": "recall", "Precision": "precision", "HR": "hit_rate"}
LISTS = [(data, model) for data in ("tiny", "small_real") for model in elliot.models("pinned", data)]


@pytest.mark.parametrize(("data", "model"), LISTS)
def test_metrics_of_elliots_lists_are_elliots(data: str, model: str) -> None:
    reference = elliot.read("pinned", data, model)
    relevant, items = reference.test()
    lists = np.full((len(reference.users), 12), -1)
    for row, user in enumerate(reference.users):
        listed = reference.lists.get(user, [])
        lists[row, : len(listed)] = items.get_indexer(listed)
    ours = compute_metrics(lists, relevant, [5, 12])
    expected = reference.metrics()
    averaged = ~np.isnan(ours["ndcg_12"])
    averaged &= reference.users.isin(reference.lists)  # MostPop has no list for a user with fewer than 12 unseen items
    assert averaged.sum() == expected["users"]
    for cutoff in (5, 12):
        for name, our_name in OURS.items():
            assert ours[f"{our_name}_{cutoff}"][averaged].mean() == pytest.approx(
                expected[str(cutoff)][name], abs=1e-12
            )


def score_list(listed: list[int], relevant: list[int], k: int) -> dict[str, float]:
    matrix = sp.csr_matrix(np.isin(np.arange(20), relevant)[None].astype(np.float32))
    return {
        name.rpartition("_")[0]: float(value[0])
        for name, value in compute_metrics(np.array([listed]), matrix, [k]).items()
    }


def test_by_hand() -> None:
    """Hits at ranks 2 and 3 of five, three items relevant."""
    values = score_list([9, 4, 7, 1, 2], relevant=[4, 7, 15], k=5)
    discount = 1 / np.log2(np.arange(2, 7))
    assert values["ndcg"] == pytest.approx((discount[1] + discount[2]) / discount[:3].sum())
    assert values["map_elliot"] == pytest.approx((0 + 1 / 2 + 2 / 3 + 2 / 4 + 2 / 5) / 5)
    assert values["map"] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert values["recall"] == pytest.approx(2 / 3)
    assert values["precision"] == pytest.approx(2 / 5)
    assert values["hit_rate"] == 1


def test_elliots_map_is_not_average_precision() -> None:
    values = score_list([4, 9], relevant=[4], k=2)
    assert values["map"] == 1
    assert values["map_elliot"] == pytest.approx(0.75)


def test_a_user_without_relevant_items_has_no_value() -> None:
    assert all(np.isnan(value) for value in score_list([1, 2], relevant=[], k=2).values())


def test_a_list_shorter_than_the_cutoff_counts_as_missing_the_rest() -> None:
    values = score_list([4, -1, -1], relevant=[4, 5], k=5)
    assert values["precision"] == pytest.approx(1 / 5)
    assert values == pytest.approx(score_list([4, 17, 18, 19, 16], relevant=[4, 5], k=5))


def slow(listed: list[int], relevant: set[int], k: int) -> dict[str, float]:
    hits = [item in relevant for item in listed[:k]]
    precisions = [sum(hits[:n]) / n for n in range(1, k + 1)]
    ranks = [n for n, hit in enumerate(hits, start=1) if hit]
    ideal = sum(1 / np.log2(n + 1) for n in range(1, min(k, len(relevant)) + 1))
    return {
        "ndcg": sum(1 / np.log2(n + 1) for n in ranks) / ideal,
        "map_elliot": sum(precisions) / k,
        "map": sum(precisions[n - 1] for n in ranks) / min(k, len(relevant)),
        "recall": len(ranks) / len(relevant),
        "precision": len(ranks) / k,
        "hit_rate": float(bool(ranks)),
    }


@given(
    listed=st.lists(st.integers(0, 19), min_size=12, max_size=12, unique=True),
    relevant=st.sets(st.integers(0, 19), min_size=1),
    k=st.integers(1, 12),
)
def test_equal_to_the_definitions_read_aloud(listed: list[int], relevant: set[int], k: int) -> None:
    values = score_list(listed, sorted(relevant), k)
    assert values == pytest.approx(slow(listed, relevant, k))
    assert all(0 <= value <= 1 + 1e-12 for value in values.values())


def test_coverage_counts_different_items() -> None:
    lists = np.array([[1, 2, -1], [2, 3, 4]])
    assert coverage(lists, 10, 2) == 0.3
    assert coverage(lists, 10, 3) == 0.4


def test_values_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    lists = np.argsort(random.random((30, 20)), axis=1)[:, :6]
    relevant = sp.csr_matrix(random.random((30, 20)) < 0.1, dtype=np.float32)
    lists[3, 2:] = -1
    whole = compute_metrics(lists, relevant, [3, 6]) | {"novelty": novelty(lists, np.arange(20), 30, 6)}
    monkeypatch.setattr(recsys.scoring.metrics, "BLOCK", 7)
    blocks = compute_metrics(lists, relevant, [3, 6]) | {"novelty": novelty(lists, np.arange(20), 30, 6)}
    for name, values in whole.items():
        np.testing.assert_array_equal(values, blocks[name])


LISTS_BY_HAND = np.array([[0, 1, 2], [0, 3, -1], [-1, -1, -1]])
BUYERS = np.array([8, 4, 2, 1, 0])


def test_novelty_popularity_and_long_tail_by_hand() -> None:
    """Of 8 users 8, 4, 2 and 1 bought the items: 0, 1, 2 and 3 bits. The short head is the first of four candidates."""
    assert novelty(LISTS_BY_HAND, BUYERS, 8, 3) == pytest.approx([1, 1.5, np.nan], nan_ok=True)
    assert popularity(LISTS_BY_HAND, BUYERS, 3) == pytest.approx([14 / 3, 4.5, np.nan], nan_ok=True)
    assert popularity(LISTS_BY_HAND, BUYERS, 1) == pytest.approx([8, 8, np.nan], nan_ok=True)
    assert long_tail(LISTS_BY_HAND, BUYERS, 3) == pytest.approx([2 / 3, 1 / 2, np.nan], nan_ok=True)


def test_gini_is_0_for_equal_exposure_and_near_1_for_one_item() -> None:
    assert gini(np.array([[0, 1], [2, 3]]), 4, 2) == pytest.approx(0)
    assert gini(np.array([[0], [0], [0]]), 100, 1) == pytest.approx(0.99)
    exposure = np.array([0, 3, 1, 0, 2])
    lists = np.repeat(np.arange(5), exposure)[:, None]
    differences = np.abs(np.subtract.outer(exposure, exposure)).sum()
    assert gini(lists, 5, 1) == pytest.approx(differences / (2 * 25 * exposure.mean()))
    assert gini(np.array([[-1]]), 5, 1) == 0


def test_popularity_lift_is_0_where_lists_are_as_popular_as_purchases() -> None:
    train = sp.csr_matrix(np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]], dtype=np.float32))
    assert popularity_lift(np.array([[0, 1], [0, 1], [0, 0]]), train, 2) == pytest.approx((2 + 2 + 3) / (2 + 2 + 3) - 1)
    assert popularity_lift(np.array([[0], [0], [0]]), train, 1) == pytest.approx(3 / (7 / 3) - 1)
    assert np.isnan(popularity_lift(np.array([[-1]] * 3), train, 1))
