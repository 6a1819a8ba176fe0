import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from recsys.dataset import dataset_of
from recsys.recommenders import Options, itemknn
from tests.recsys import elliot
from tests.recsys.behaviour import OPTIONS, PersonalBehaviour, checkerboard, shop


class TestItemKnn(PersonalBehaviour):
    module = itemknn

    @pytest.mark.parametrize(
        ("data", "model"), [("tiny", "ItemKNN_standard"), ("small_real", "ItemKNN_standard_explicit")]
    )
    def test_lists_are_elliots(self, data: str, model: str) -> None:
        reference = elliot.read("stable", data, model)
        items, _ = self.lists(reference.train().astype(np.float32), neighbourhood="elliot")
        ours = {user: reference.items[row[row >= 0]].tolist() for user, row in zip(reference.users, items, strict=True)}
        assert ours == reference.lists

    def test_standard_adds_up_the_neighbours_of_each_bought_item(self) -> None:
        train = shop()
        cosine = cosine_similarity(train.T)
        expected = np.zeros(train.shape)
        for user in range(train.shape[0]):
            for bought in train[user].indices:
                others = [item for item in range(train.shape[1]) if item != bought and cosine[bought, item] > 0]
                for near in sorted(others, key=lambda item: (-cosine[bought, item], item))[:4]:
                    expected[user, near] += cosine[bought, near]
        scorer = itemknn.fit(dataset_of(train), Options(**(OPTIONS | {"itemknn_k": 4})), 0)
        np.testing.assert_allclose(scorer.scores(np.arange(60)).toarray(), expected, rtol=1e-5)

    @pytest.mark.parametrize("neighbourhood", ["elliot", "standard"])
    def test_other_similarities_find_the_square_that_is_left(self, neighbourhood: str) -> None:
        for chosen in ({"similarity": "jaccard"}, {"shrink": 5.0}, {"similarity": "jaccard", "shrink": 5.0}):
            items, _ = self.lists(checkerboard(), k=1, neighbourhood=neighbourhood, **chosen)
            assert (items[:, 0] == np.arange(40)).all()
