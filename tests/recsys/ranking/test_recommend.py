from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import recsys.ranking.recommend
from recsys.ranking.recommend import list_first_absent, rank_columns, recommend
from recsys.ranking.scorers import SameForAll, SparseProduct

SCORES = st.sampled_from([-np.inf, -2.5, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0]) | st.floats(-4, 4, width=32)


@settings(deadline=None)
@given(
    scores=arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 40)), elements=SCORES),
    k=st.integers(1, 14),
    groups=st.sampled_from([1, 2, 8]),
    tied=st.sampled_from([0, 1, 8]),
)
def test_best_equals_sorting_every_row(scores: np.ndarray, k: int, groups: int, tied: int) -> None:
    """With few groups, a row of few columns is searched as one of many is; ties are many where few are allowed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recsys.ranking.recommend, "GROUPS", groups)
        patch.setattr(recsys.ranking.recommend, "TIED", tied)
        items, values = rank_columns(scores, k)
    assert items.shape == values.shape == (len(scores), k)
    for row, listed, value in zip(scores, items, values, strict=True):
        order = [
            column
            for column in sorted(range(len(row)), key=lambda column: (-row[column], column))
            if np.isfinite(row[column])
        ]
        assert listed.tolist() == (order + [-1] * k)[:k]
        assert value[listed >= 0].tolist() == [row[column] for column in order[:k]]


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        rank_columns(np.array([[1, np.nan]], dtype=np.float32), 1)


@dataclass(frozen=True)
class Fixed:
    matrix: np.ndarray

    def scores(self, users: np.ndarray) -> np.ndarray:
        return self.matrix[users]


def test_lists_do_not_depend_on_the_block_and_pools_share_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    scorer = Fixed(random.integers(0, 5, (50, 30)).astype(np.float32))
    before = scorer.matrix.copy()
    train = sp.csr_matrix(random.random((50, 30)) < 0.2, dtype=np.float32)
    pools = {"all": np.ones(30, bool), "some": np.arange(30) % 3 == 0}
    whole = recommend(scorer, train, 6, pools)
    monkeypatch.setattr(recsys.ranking.recommend, "BLOCK_CELLS", 100)
    blocks = recommend(scorer, train, 6, pools)
    for name in pools:
        assert (whole[name][0] == blocks[name][0]).all()
        assert (whole[name][1] == blocks[name][1]).all()
    assert (scorer.matrix == before).all()
    some = whole["some"][0]
    assert (some[some >= 0] % 3 == 0).all()
    shown, _ = rank_columns(
        np.where(train.toarray() > 0, -np.inf, np.where(pools["some"], scorer.matrix, -np.inf)).astype(np.float32), 6
    )
    assert (some == shown).all()


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
