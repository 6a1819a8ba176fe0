"""Items bought together: equal to counting pair by pair, ties by the order of the items, whatever the blocks."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from recsys.imputation import purchases
from recsys.imputation.purchases import find_bought_together

GOLDEN = Path(__file__).parents[2] / "golden/mmrec"


def find_slowly(train: np.ndarray, k: int, definition: str) -> list[set[int]]:
    n = train.shape[1]
    found = []
    for item in range(n):
        counts = [int(sum(user[item] and user[other] for user in train)) for other in range(n)]
        others = range(n) if definition == "published" else [j for j in range(n) if j != item and counts[j]]
        found.append(set(sorted(others, key=lambda other: (-counts[other], other))[:k]))
    return found


@given(
    n_users=st.integers(1, 8), n_items=st.integers(1, 9), k=st.integers(1, 5), block=st.integers(1, 4),
    definition=st.sampled_from(["published", "corrected"]), seed=st.integers(0, 10_000),
)  # fmt: skip
def test_the_items_found_are_those_of_a_slow_count(
    n_users: int, n_items: int, k: int, block: int, definition: str, seed: int
) -> None:
    train = np.random.default_rng(seed).random((n_users, n_items)) < 0.4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purchases, "BLOCK_ITEMS", block)
        near = find_bought_together(sp.csr_matrix(train), k, definition)
    assert near.shape == (n_items, n_items)
    assert [set(near[item].indices) for item in range(n_items)] == find_slowly(train, k, definition)
    assert set(near.data) <= {1.0}


def test_counts_of_the_reference_are_found_again() -> None:
    """The reference breaks ties in its own way, so the counts of the items found are compared, not the items."""
    golden, items = np.load(GOLDEN / "imputation.npz"), np.load(GOLDEN / "items.npz")
    user, item = items["train"].T.astype(np.int64)
    near = find_bought_together(sp.csr_matrix((np.ones(len(user)), (user, item)), shape=(60, 40)), 10, "published")
    counts = golden["copurchases"]
    for row in range(40):
        assert sorted(counts[row, near[row].indices]) == sorted(counts[row, golden["neighbours_top10"][row]])
