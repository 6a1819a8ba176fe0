"""The best columns of dense scores against sorting every row."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import recsys.ranking.dense
from recsys.ranking.dense import rank_columns
from recsys.ranking.recommend import recommend

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
        patch.setattr(recsys.ranking.dense, "GROUPS", groups)
        patch.setattr(recsys.ranking.dense, "TIED", tied)
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
    monkeypatch.setattr(recsys.ranking.dense, "BLOCK_CELLS", 100)
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
