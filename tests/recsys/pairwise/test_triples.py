import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.core.errors import UserError
from recsys.pairwise.triples import Triples
from tests.recsys.recommenders.contract import shop


def test_triples_are_a_bought_and_another_item_of_the_user_drawn_uniformly() -> None:
    bought = shop(8, 6).toarray()
    bought[2] = 1  # nothing left to compare with: never drawn
    users, better, worse = (part.numpy() for part in Triples(sp.csr_matrix(bought)).draw(60_000, 0))
    assert (bought[users, better] == 1).all()
    assert (bought[users, worse] == 0).all()
    assert set(users) == {0, 1, 3, 4, 5, 6, 7}
    for user in set(users):
        for drawn, possible in ((better, bought[user] == 1), (worse, bought[user] == 0)):
            shares = np.bincount(drawn[users == user], minlength=6) / (users == user).sum()
            np.testing.assert_allclose(shares[possible], 1 / possible.sum(), atol=0.03)
    np.testing.assert_allclose(np.bincount(users, minlength=8)[[0, 1, 3, 4, 5, 6, 7]] / 60_000, 1 / 7, atol=0.01)


def test_draws_are_a_function_of_the_key() -> None:
    triples = Triples(shop())
    first = triples.draw(500, 1, 0, 2)
    assert all((batch == repeated).all() for batch, repeated in zip(first, triples.draw(500, 1, 0, 2), strict=True))
    for key in ((1, 0, 3), (1, 1, 2), (2, 0, 2)):
        assert any((batch != repeated).any() for batch, repeated in zip(first, triples.draw(500, *key), strict=True))


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(UserError, match="nothing to learn from"):
        Triples(sp.csr_matrix(np.ones((3, 4), np.float32)))
