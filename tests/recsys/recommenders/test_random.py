import numpy as np

from recsys.purchases.dataset import dataset_of
from recsys.ranking.recommend import recommend
from recsys.ranking.settings import Run
from recsys.recommenders import random
from tests.recsys.recommenders.contract import Behaviour, settings_of, shop


class TestRandom(Behaviour):
    module = random

    def test_every_unseen_item_is_as_likely(self) -> None:
        train = shop()
        drawn = np.concatenate([self.lists(train[:1], seed)[0][0] for seed in range(200)])
        counts = np.bincount(drawn, minlength=90)
        unseen = train[0].toarray()[0] == 0
        expected = len(drawn) / unseen.sum()
        assert (counts[~unseen] == 0).all()
        assert ((counts[unseen] - expected) ** 2 / expected).sum() < unseen.sum() + 4 * np.sqrt(2 * unseen.sum())

    def test_a_list_does_not_depend_on_who_else_is_there(self) -> None:
        train = shop()
        others = train[::-1][:20].tolil()
        others[7] = train[7]
        assert (self.lists(train)[0][7] == self.lists(others.tocsr())[0][7]).all()

    def test_a_list_among_few_candidates_is_of_them_and_unseen(self) -> None:
        train, pool = shop(), np.arange(90) % 7 == 0
        scorer = random.fit(dataset_of(train), settings_of(random), Run(seed=3, top_k=12))
        items, scores = recommend(scorer, train, 12, {"few": pool})["few"]
        for row, bought in zip(items, train, strict=True):
            left = set(np.flatnonzero(pool)) - set(bought.indices)
            assert len(set(row[row >= 0])) == min(12, len(left))
            assert set(row[row >= 0]) <= left
        assert all((np.diff(row[np.isfinite(row)]) < 0).all() for row in scores)
