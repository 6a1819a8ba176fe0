import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import recsys.ranking.recommend
import recsys.ranking.topk
from pipeline.core.errors import UserError
from recsys.ranking.dense import rank_columns
from recsys.ranking.recommend import list_first_absent, recommend
from recsys.ranking.scorers import SameForAll, SparseProduct

SMALL = st.integers(1, 8)


@st.composite
def scored(draw: st.DrawFn) -> tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix, np.ndarray]:
    """left, right, train and a pool; few different values, so that many scores are equal."""
    n_users, n_between, n_items = draw(SMALL), draw(SMALL), draw(st.integers(1, 16))
    weights = st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0])
    left = draw(arrays.arrays(np.float32, (n_users, n_between), elements=weights))
    right = draw(arrays.arrays(np.float32, (n_between, n_items), elements=weights))
    seen = draw(arrays.arrays(np.bool_, (n_users, n_items)))
    pool = draw(arrays.arrays(np.bool_, n_items))
    return sp.csr_matrix(left), sp.csr_matrix(right), sp.csr_matrix(seen, dtype=np.float32), pool


def expected(scores: np.ndarray, train: sp.csr_matrix, pool: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    return rank_columns(np.where((train.toarray() > 0) | ~pool, -np.inf, scores).astype(np.float32), k)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(case=scored(), k=st.integers(1, 14), users=st.integers(1, 4))
def test_a_product_is_ranked_as_all_its_scores_would_be(
    case: tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix, np.ndarray], k: int, users: int
) -> None:
    left, right, train, pool = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recsys.ranking.recommend, "BLOCK_USERS", users)
        patch.setattr(recsys.ranking.recommend, "SPARE", 0)
        ours = recommend(SparseProduct(left, right), train, k, {"pool": pool, "all": np.ones_like(pool)})
    for name, members in (("pool", pool), ("all", np.ones_like(pool))):
        items, scores = expected((left @ right).toarray(), train, members, k)
        assert ours[name][0].tolist() == items.tolist()
        assert ours[name][1].tolist() == scores.tolist()


@settings(deadline=None, max_examples=200)
@given(case=scored(), largest=st.integers(1, 200))
def test_a_product_that_cannot_be_counted_is_cut_or_refused_and_never_wrong(
    case: tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix, np.ndarray], largest: int
) -> None:
    """With a small limit in the place of 2^31 − 1."""
    left, right, train, pool = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recsys.ranking.topk, "LARGEST", largest)
        patch.setattr(recsys.ranking.recommend, "BLOCK_USERS", 2)
        try:
            ours = recommend(SparseProduct(left, right), train, 3, {"pool": pool})["pool"]
        except UserError:
            return
    items, scores = expected((left @ right).toarray(), train, pool, 3)
    assert (ours[0].tolist(), ours[1].tolist()) == (items.tolist(), scores.tolist())


def test_rows_of_a_large_matrix_that_a_block_does_not_name_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that UserKNN ranks however many pairs there are in all."""
    random = np.random.default_rng(0)
    train = sp.csr_matrix(random.random((400, 30)) < 0.2, dtype=np.float32)
    neighbours = sp.csr_matrix((np.ones(800, np.float32), random.integers(0, 400, 800), np.arange(0, 801, 2)))
    scorer, pools = SparseProduct(neighbours, train), {"all": np.ones(30, bool)}
    whole = recommend(scorer, train, 5, pools)["all"]
    monkeypatch.setattr(recsys.ranking.recommend, "BLOCK_USERS", 20)
    monkeypatch.setattr(recsys.ranking.topk, "LARGEST", train.nnz // 4)
    blocks = recommend(scorer, train, 5, pools)["all"]
    np.testing.assert_array_equal(blocks[0], whole[0])
    np.testing.assert_array_equal(blocks[1], whole[1])


@settings(deadline=None)
@given(case=scored(), k=st.integers(1, 14), values=arrays.arrays(np.float32, 16, elements=st.sampled_from([0, 1, 2])))
def test_a_shared_score_is_ranked_as_everybodys_own_would_be(
    case: tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix, np.ndarray], k: int, values: np.ndarray
) -> None:
    _, _, train, pool = case
    values = values[: train.shape[1]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recsys.ranking.recommend, "BLOCK_USERS", 3)
        items, scores = recommend(SameForAll(values), train, k, {"pool": pool})["pool"]
    reference = expected(np.tile(values, (train.shape[0], 1)), train, pool, k)
    assert items.tolist() == reference[0].tolist()
    assert scores.tolist() == reference[1].tolist()


@settings(deadline=None)
@given(rows=st.lists(st.sets(st.integers(0, 12)), min_size=1, max_size=5), k=st.integers(1, 6), n=st.integers(1, 13))
def test_first_absent_equals_looking_one_by_one(rows: list[set[int]], k: int, n: int) -> None:
    pairs = [(row, number) for row, numbers in enumerate(rows) for number in numbers]
    row, present = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    result = list_first_absent(row, present, len(rows), k, n)
    for listed, numbers in zip(result.tolist(), rows, strict=True):
        absent = [number for number in range(n) if number not in numbers][:k]
        assert listed == absent + [-1] * (k - len(absent))
