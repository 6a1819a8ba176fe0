"""Ranks without lists equal ranking everything, ties included."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from recsys.arrivals import ranks
from recsys.arrivals.ranks import compute_contributions, find_distinct, rank_relevant
from recsys.ranking.recommend import recommend
from recsys.ranking.scorers import Factors, ItemFactors
from recsys.scoring.metrics import compute_metrics


def whole_numbers(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Small whole numbers: many ties, and products that are exact however they are added up."""
    return random.integers(-2, 3, shape).astype(np.float32)


def slow_ranks(user: np.ndarray, items: ItemFactors, relevant: sp.csr_matrix, k: int) -> list[int]:
    """Sort every score of every user."""
    found = []
    for row in range(len(user)):
        scores = user[row] @ items.vectors.T + items.bias
        order = np.argsort(-scores, kind="stable").tolist()
        found += [min(k, order.index(item)) for item in relevant[row].indices]
    return found


@given(
    seed=st.integers(0, 1000),
    n_items=st.integers(1, 60),
    distinct=st.integers(1, 60),
    k=st.integers(1, 12),
    few=st.sampled_from([1, 5, 1000]),
    block=st.sampled_from([1, 100, 10_000]),
)
def test_ranks_are_those_of_sorted_scores(seed: int, n_items: int, distinct: int, k: int, few: int, block: int) -> None:
    random = np.random.default_rng(seed)
    user = whole_numbers(random, 20, 3)
    chosen = random.integers(distinct, size=n_items)
    items = ItemFactors(whole_numbers(random, distinct, 3)[chosen], whole_numbers(random, distinct)[chosen])
    relevant = sp.csr_matrix((random.random((20, n_items)) < 0.2).astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "FEW", few)
        patch.setattr(ranks, "BLOCK_SCORES", block)
        found = rank_relevant(user, items, relevant, k)
    assert found.tolist() == slow_ranks(user, items, relevant, k)


def test_contributions_add_up_to_the_ndcg_of_the_lists() -> None:
    random = np.random.default_rng(0)
    user, vectors = random.normal(size=(200, 5)).astype(np.float32), random.normal(size=(300, 5)).astype(np.float32)
    items = ItemFactors(vectors, random.normal(size=300).astype(np.float32))
    relevant = sp.csr_matrix((random.random((200, 300)) < 0.03).astype(np.float32))
    found = compute_contributions(rank_relevant(user, items, relevant, 12), relevant, 12)
    scorer, nothing = Factors(user, items.vectors, items.bias), sp.csr_matrix((200, 300), dtype=np.float32)
    lists, _ = recommend(scorer, nothing, 12, {"all": np.ones(300, bool)})["all"]
    ndcg = compute_metrics(lists, relevant, [12])["ndcg_12"]
    owner = np.repeat(np.arange(200), np.diff(relevant.indptr))
    np.testing.assert_allclose(np.bincount(owner, found, minlength=200), np.nan_to_num(ndcg), atol=1e-12)


def test_equal_items_are_ties_in_every_digit() -> None:
    """In a product of several blocks equal columns may be added up in another order: here the order is the item's."""
    random = np.random.default_rng(0)
    one = random.normal(size=(1, 37)).astype(np.float32)
    items = ItemFactors(np.repeat(one, 101, axis=0), np.zeros(101, np.float32))
    user = random.normal(size=(50, 37)).astype(np.float32)
    relevant = sp.csr_matrix(np.eye(50, 101, dtype=np.float32))
    assert rank_relevant(user, items, relevant, 200).tolist() == list(range(50))


def test_distinct_items_are_in_the_order_of_their_first() -> None:
    vectors = np.array([[1], [2], [1], [0], [2], [-0.0]], dtype=np.float32)
    assert (
        find_distinct(ItemFactors(np.asfortranarray(np.eye(4, 3, dtype=np.float32)), np.zeros(4, np.float32))).sizes
        is None
    )
    found = find_distinct(ItemFactors(vectors, np.zeros(6, np.float32)))
    assert found.right.tolist() == [[1, 2, 0], [0, 0, 0]]
    assert found.row.tolist() == [0, 1, 0, 2, 1, 2]
    assert found.place.tolist() == [0, 0, 1, 0, 1, 1]
    assert found.sizes is not None
    assert found.sizes.tolist() == [2, 2, 2]
