import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.errors import UserError
from recsys.pairwise import initial, sample
from recsys.recommenders import Options, bpr
from tests.recsys.behaviour import OPTIONS, shop


def test_triples_are_a_bought_and_another_item_of_the_user_drawn_uniformly() -> None:
    bought = shop(8, 6).toarray()
    bought[2] = 1  # nothing left to compare with: never drawn
    users, better, worse = sample(sp.csr_matrix(bought), 60_000, np.random.default_rng(0))
    assert (bought[users, better] == 1).all()
    assert (bought[users, worse] == 0).all()
    assert set(users) == {0, 1, 3, 4, 5, 6, 7}
    for user in set(users):
        for drawn, possible in ((better, bought[user] == 1), (worse, bought[user] == 0)):
            shares = np.bincount(drawn[users == user], minlength=6) / (users == user).sum()
            np.testing.assert_allclose(shares[possible], 1 / possible.sum(), atol=0.03)
    np.testing.assert_allclose(np.bincount(users, minlength=8)[[0, 1, 3, 4, 5, 6, 7]] / 60_000, 1 / 7, atol=0.01)


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(UserError, match="nothing to learn from"):
        sample(sp.csr_matrix(np.ones((3, 4), np.float32)), 10, np.random.default_rng(0))


def test_divergence_is_said() -> None:
    with pytest.raises(UserError, match=r"lower rec_fit\.learning_rate"):
        bpr.fit(shop(), Options(**(OPTIONS | {"learning_rate": 1e30})), 1)


def test_initial_values_depend_on_seed_and_stream_only() -> None:
    first = initial(5, 3, seed=1, stream=0, device="cpu")
    assert (first == initial(5, 3, 1, 0, "cpu")).all()
    assert (first != initial(5, 3, 1, 1, "cpu")).all()
    assert (first != initial(5, 3, 2, 0, "cpu")).all()
