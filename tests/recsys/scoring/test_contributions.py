"""What hits add to NDCG: a slow definition, and sums that are the metric."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.scoring import contributions
from recsys.scoring.contributions import find_hits
from recsys.scoring.metrics import compute_metrics

N_ITEMS = 6
row = st.tuples(
    st.permutations(range(N_ITEMS)), st.integers(0, N_ITEMS), st.lists(st.integers(0, 1), min_size=6, max_size=6)
)


@settings(max_examples=80, deadline=None)
@given(st.lists(row, min_size=1, max_size=6), st.integers(1, 8), st.integers(1, 3))
def test_hits_equal_a_slow_definition(rows: list[tuple[list[int], int, list[int]]], k: int, block: int) -> None:
    lists = np.array([[*items[:depth], *[-1] * (N_ITEMS - depth)] for items, depth, _ in rows])
    bought = np.array([relevant for _, _, relevant in rows])
    expected = {
        (user, item): 1 / np.log2(rank + 2) / sum(1 / np.log2(best + 2) for best in range(min(k, bought[user].sum())))
        for user in range(len(rows))
        for rank, item in enumerate(lists[user, :k])
        if item >= 0 and bought[user, item]
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contributions, "BLOCK", block)
        hits = find_hits(lists, sp.csr_matrix(bought.astype(np.float32)), k)
    pairs = list(zip(hits.row.tolist(), hits.item.tolist(), strict=True))
    assert dict(zip(pairs, hits.contribution.tolist(), strict=True)) == pytest.approx(expected)
    assert pairs == list(expected)


def test_hits_of_a_user_add_up_to_ndcg() -> None:
    rng = np.random.default_rng(3)
    lists = np.array([rng.permutation(40)[:12] for _ in range(30)])
    relevant = sp.csr_matrix((rng.random((30, 40)) < 0.2).astype(np.float32) * rng.integers(1, 4, (30, 40)))
    hits = find_hits(lists, relevant, 5)
    ndcg = compute_metrics(lists, relevant, [5])["ndcg_5"]
    assert np.bincount(hits.row, hits.contribution, 30) == pytest.approx(np.nan_to_num(ndcg))
