import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from recsys.purchases.dataset import dataset_of
from recsys.recommenders import itemknn
from tests.helpers import elliot
from tests.recsys.recommenders.contract import RUN, PersonalBehaviour, checkerboard, settings_of, shop


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

    def test_one_neighbour_more_equals_elliots_implementation_that_does_not_count_the_item_itself(self) -> None:
        """What `recsys.interchange.elliot.configuration` rests on. Elliot adds 0.000001 to every divider."""
        reference = elliot.read("pinned", "small_real", "ItemKNN_aiolli_explicit")
        same = []
        for k in (20, 21):
            items, _ = self.lists(reference.train().astype(np.float32), neighbourhood="elliot", k=k)
            ours = [reference.items[row[row >= 0]].tolist() for row in items]
            same.append(
                np.mean([reference.lists[user] == row for user, row in zip(reference.users, ours, strict=True)])
            )
        assert same[0] < 0.5
        assert same[1] > 0.999

    def test_standard_adds_up_the_neighbours_of_each_bought_item(self) -> None:
        train = shop()
        cosine = cosine_similarity(train.T)
        expected = np.zeros(train.shape)
        for user in range(train.shape[0]):
            for bought in train[user].indices:
                others = [item for item in range(train.shape[1]) if item != bought and cosine[bought, item] > 0]
                for near in sorted(others, key=lambda item: (-cosine[bought, item], item))[:4]:
                    expected[user, near] += cosine[bought, near]
        scorer = itemknn.fit(dataset_of(train), settings_of(itemknn, k=4), RUN)
        np.testing.assert_allclose(scorer.scores(np.arange(60)).toarray(), expected, rtol=1e-5)

    @pytest.mark.parametrize("neighbourhood", ["elliot", "standard"])
    def test_other_similarities_find_the_square_that_is_left(self, neighbourhood: str) -> None:
        for chosen in ({"similarity": "jaccard"}, {"shrink": 5.0}, {"similarity": "jaccard", "shrink": 5.0}):
            items, _ = self.lists(checkerboard(), top=1, neighbourhood=neighbourhood, **chosen)
            assert (items[:, 0] == np.arange(40)).all()
