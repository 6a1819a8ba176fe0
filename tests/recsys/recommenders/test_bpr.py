import numpy as np
import torch

from recsys.purchases.dataset import dataset_of
from recsys.recommenders import bpr
from tests.recsys.recommenders.contract import RUN, PersonalBehaviour, settings_of, shop


class TestBpr(PersonalBehaviour):
    module = bpr


def test_difference_and_length_are_those_of_the_scores() -> None:
    model = bpr.new_model(60, 90, settings_of(bpr), RUN)
    model.items.values[:, -1] = torch.randn(90, generator=torch.Generator().manual_seed(0))
    user, bought, other = (torch.tensor(row) for row in ([3, 4], [10, 11], [80, 3]))
    users, items = model.users.values, model.items.values
    higher, length = model.compare(users[user], items[bought], items[other], None, None)
    scores = torch.from_numpy(bpr.read_factors(model).scores(np.arange(60)))
    torch.testing.assert_close(higher, scores[user, bought] - scores[user, other])
    used = [users[3], items[10], items[80]]
    torch.testing.assert_close(length[0], torch.stack([part.square().sum() for part in used]).sum())


def test_scores_follow_popularity_where_there_is_no_taste() -> None:
    train = shop()
    scores = bpr.fit(dataset_of(train), settings_of(bpr), RUN).scores(np.arange(60)).mean(0)
    popularity = np.asarray(train.sum(0)).ravel()
    assert np.corrcoef(scores.argsort().argsort(), popularity.argsort().argsort())[0, 1] > 0.8
