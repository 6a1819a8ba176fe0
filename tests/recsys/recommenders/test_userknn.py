import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from pipeline.core.errors import UserError
from recsys.interchange.recommend import build_settings
from recsys.purchases.dataset import dataset_of
from recsys.ranking.settings import Run
from recsys.recommenders import userknn
from tests.helpers import elliot
from tests.recsys.recommenders.contract import RUN, PersonalBehaviour, settings_of, shop


class TestUserKnn(PersonalBehaviour):
    module = userknn

    @pytest.mark.parametrize(
        ("data", "model"), [("tiny", "UserKNN_standard"), ("small_real", "UserKNN_standard_explicit")]
    )
    def test_lists_are_elliots(self, data: str, model: str) -> None:
        reference = elliot.read("stable", data, model)
        items, _ = self.lists(reference.train().astype(np.float32), neighbourhood="elliot")
        ours = {user: reference.items[row[row >= 0]].tolist() for user, row in zip(reference.users, items, strict=True)}
        assert ours == reference.lists

    def test_standard_adds_up_what_the_nearest_users_bought(self) -> None:
        train = shop()
        cosine = cosine_similarity(train)
        expected = np.zeros(train.shape)
        for user in range(60):
            others = [other for other in range(60) if other != user and cosine[user, other] > 0]
            for near in sorted(others, key=lambda other: (-cosine[user, other], other))[:4]:
                expected[user] += cosine[user, near] * train[near].toarray()[0]
        scorer = userknn.fit(dataset_of(train), settings_of(userknn, k=4), RUN)
        np.testing.assert_allclose(scorer.scores(np.arange(60)).toarray(), expected, rtol=1e-5)

    def test_elliots_neighbourhood_is_the_transposed_one(self) -> None:
        train = shop()
        own = userknn.fit(dataset_of(train), settings_of(userknn, neighbourhood="standard"), RUN).left
        transposed = userknn.fit(dataset_of(train), settings_of(userknn, neighbourhood="elliot", k=11), RUN).left
        transposed.setdiag(0)  # each user is one of its own neighbours there
        assert abs(transposed.T - own).max() < 1e-6

    def test_of_a_sample_only_its_users_are_neighbours(self) -> None:
        train = shop()
        among = userknn.draw_users(60, 0.25, RUN.seed)
        assert len(among) == 15
        cosine = cosine_similarity(train)
        expected = np.zeros(train.shape)
        for user in range(60):
            others = [other for other in among if other != user and cosine[user, other] > 0]
            for near in sorted(others, key=lambda other: (-cosine[user, other], other))[:4]:
                expected[user] += cosine[user, near] * train[near].toarray()[0]
        scorer = userknn.fit(dataset_of(train), settings_of(userknn, k=4, sample=0.25), RUN)
        assert scorer.right.shape == (15, 90)
        np.testing.assert_allclose(scorer.scores(np.arange(60)).toarray(), expected, rtol=1e-5)

    def test_a_sample_is_the_seeds_own_and_all_of_them_change_nothing(self) -> None:
        train = shop()
        one, same, other = (self.lists(train, seed, sample=0.25)[1] for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)
        for whole, expected in zip(self.lists(train, sample=1.0), self.lists(train, sample=0.0), strict=True):
            np.testing.assert_array_equal(whole, expected)

    def test_a_sample_of_elliots_neighbourhood_is_refused(self) -> None:
        with pytest.raises(UserError, match=r"^sample: 0\.5 needs neighbourhood: standard"):
            build_settings("userknn", {"sample": 0.5, "neighbourhood": "elliot"})

    @pytest.mark.parametrize("changes", [{}, {"sample": 0.5}, {"neighbourhood": "elliot"}, {"similarity": "jaccard"}])
    def test_scores_of_some_users_are_those_among_all(self, changes: dict[str, object]) -> None:
        data, settings, users = dataset_of(shop()), settings_of(userknn, **changes), np.array([0, 7, 8, 59])
        every = userknn.fit(data, settings, RUN).scores(users)
        some = userknn.fit_some(data, settings, RUN, users)
        assert some.left.shape[0] == 4
        assert (some.scores(np.arange(4)) != every).nnz == 0

    def test_draws_by_one_seed_differ_in_what_they_are_for(self) -> None:
        from recsys.interchange.recommend import draw_users

        assert not np.array_equal(draw_users(1000, 100, 42), userknn.draw_users(1000, 0.1, 42))
        assert len(userknn.draw_users(3, 0.01, Run(0, 12).seed)) == 1
