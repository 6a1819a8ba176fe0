import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from recsys.purchases.dataset import dataset_of
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
