import numpy as np
import torch

from recsys.recommenders import Options, bpr
from tests.recsys.behaviour import OPTIONS, PersonalBehaviour, shop


class TestBpr(PersonalBehaviour):
    module = bpr


def test_difference_and_length_are_those_of_the_scores() -> None:
    model = bpr.Bpr(60, 90, Options(**OPTIONS), seed=1)
    with torch.no_grad():
        model.bias += torch.randn(90, generator=torch.Generator().manual_seed(0))
    user, bought, other = (torch.tensor(row) for row in ([3, 4], [10, 11], [80, 3]))
    higher, length = model(user, bought, other)
    scores = model.user @ model.item.T + model.bias
    torch.testing.assert_close(higher, scores[user, bought] - scores[user, other])
    used = [model.user[3], model.item[10], model.item[80], model.bias[10], model.bias[80]]
    torch.testing.assert_close(length[0], torch.stack([part.square().sum() for part in used]).sum())


def test_scores_follow_popularity_where_there_is_no_taste() -> None:
    train = shop()
    scores = bpr.fit(train, Options(**OPTIONS), 1).scores(np.arange(60)).mean(0)
    popularity = np.asarray(train.sum(0)).ravel()
    assert np.corrcoef(scores.argsort().argsort(), popularity.argsort().argsort())[0, 1] > 0.8
