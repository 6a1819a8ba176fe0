"""Content kNN: the cosine to the mean of what a user has bought."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from features.files import all_rows
from pipeline.core.errors import UserError
from recsys.purchases.dataset import dataset_of
from recsys.recommenders import contentknn
from tests.recsys.recommenders.contract import RUN, Behaviour, ColdBehaviour, parity_features, settings_of, shop


class TestContentKnn(Behaviour, ColdBehaviour):
    module = contentknn


def test_scores_are_cosines_to_the_mean_of_what_a_user_has_bought() -> None:
    train, features = shop(), parity_features(90)
    fitted = contentknn.fit(dataset_of(train), settings_of(contentknn), RUN, all_rows(features))
    centred = features - features.mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    expected = np.zeros((60, 90))
    for user in range(60):
        mean = np.mean([unit[item] for item in train[user].indices], axis=0)
        expected[user] = cosine_similarity(mean[None], centred)[0]
    np.testing.assert_allclose(fitted.scores(np.arange(60)), expected, rtol=1e-4, atol=1e-5)


def test_a_rating_is_the_weight_of_an_item() -> None:
    train, features = shop(), parity_features(90)
    rated = train.copy()
    rated.data[:] = np.random.default_rng(0).integers(1, 6, rated.nnz)
    one, other = (
        contentknn.fit(dataset_of(matrix), settings_of(contentknn), RUN, all_rows(features)).user
        for matrix in (train, rated)
    )
    assert np.abs(one - other).max() > 0.01
    vectors = contentknn.project({"centre": features.mean(0)}, all_rows(features)).vectors
    mean = rated.toarray() @ vectors
    np.testing.assert_allclose(other, mean / np.linalg.norm(mean, axis=1, keepdims=True), rtol=1e-4, atol=1e-5)


def test_an_item_with_the_mean_of_all_features_scores_0() -> None:
    train, features = shop(), parity_features(90)
    fitted = contentknn.fit(dataset_of(train), settings_of(contentknn), RUN, all_rows(features))
    vectors, bias = contentknn.project(fitted.learned, all_rows(fitted.learned["centre"][None]))
    assert (fitted.user @ vectors.T + bias == 0).all()


def test_features_that_are_not_finite_are_refused() -> None:
    features = parity_features(90)
    features[3, 1] = np.nan
    with pytest.raises(UserError, match="1 of 90 items have features that are not finite, first 3"):
        contentknn.fit(dataset_of(shop()), settings_of(contentknn), RUN, all_rows(features))
