import numpy as np

from recsys.recommenders import Options, random
from tests.recsys.behaviour import OPTIONS, Behaviour, shop


class TestRandom(Behaviour):
    module = random

    def test_every_unseen_item_is_as_likely(self) -> None:
        train = shop()
        drawn = np.concatenate([self.lists(train, seed)[0][0] for seed in range(600)])
        counts = np.bincount(drawn, minlength=90)
        unseen = train[0].toarray()[0] == 0
        expected = len(drawn) / unseen.sum()
        assert (counts[~unseen] == 0).all()
        assert ((counts[unseen] - expected) ** 2 / expected).sum() < unseen.sum() + 4 * np.sqrt(2 * unseen.sum())

    def test_scores_do_not_depend_on_who_else_is_scored(self) -> None:
        scorer = random.fit(shop(), Options(**OPTIONS), 3)
        assert (scorer.scores(np.arange(60))[7] == scorer.scores(np.array([7]))[0]).all()
