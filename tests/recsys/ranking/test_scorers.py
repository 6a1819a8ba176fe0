"""Scores of dense vectors: items of equal vectors are ties in all digits."""

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.ranking.on_device import rank_factors
from recsys.ranking.recommend import recommend
from recsys.ranking.scorers import Factors

N_ITEMS, WIDTH, EQUAL = 2_340, 48, 238


@pytest.fixture
def factors() -> Factors:
    """Many items of one vector among others: products of these shapes are rounded by the place of a column."""
    random = np.random.default_rng(0)
    user, item = (random.standard_normal((n, WIDTH), dtype=np.float32) for n in (300, N_ITEMS))
    equal = random.choice(N_ITEMS, EQUAL, replace=False)
    item[equal] = item[equal[0]]
    return Factors(user, item, np.zeros(N_ITEMS, dtype=np.float32))


def test_equal_items_score_the_same_and_all_others_as_before(factors: Factors) -> None:
    scores = factors.scores(np.arange(300))
    _, number = np.unique(factors.item, axis=0, return_inverse=True)
    for group in np.flatnonzero(np.bincount(number.ravel()) > 1):
        columns = scores[:, number.ravel() == group]
        assert (columns == columns[:, :1]).all()
    np.testing.assert_allclose(scores, factors.user @ factors.item.T, atol=2e-5)


def test_of_equal_items_the_first_are_listed(factors: Factors) -> None:
    train = sp.csr_matrix((300, N_ITEMS), dtype=np.float32)
    pools = {"all": np.ones(N_ITEMS, dtype=bool)}
    for lists in (recommend(factors, train, 12, pools), rank_factors(factors, train, 12, pools, "cpu")):
        items, _ = lists["all"]
        _, number = np.unique(factors.item, axis=0, return_inverse=True)
        group = int(np.bincount(number.ravel()).argmax())
        members = np.flatnonzero(number.ravel() == group)
        listed = np.isin(items, members)
        assert listed.any()
        for row, is_member in zip(items, listed, strict=True):
            assert row[is_member].tolist() == members[: is_member.sum()].tolist()


def test_items_that_all_differ_are_scored_as_they_are() -> None:
    random = np.random.default_rng(1)
    factors = Factors(*(random.standard_normal(shape, dtype=np.float32) for shape in ((5, 3), (7, 3), (7,))))
    assert factors.different.number is None
    np.testing.assert_array_equal(factors.scores(np.arange(5)), factors.user @ factors.item.T + factors.bias)
