"""Words from pictures: ridge regression as scikit-learn's, and the mean of the nearest pictures' words."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.files import all_rows
from recsys.imputation.pictures import PENALTIES, average_nearest, choose_items, regress


@pytest.fixture
def data() -> dict[str, np.ndarray]:
    """Pictures that say half of the words, one column of them constant."""
    rng = np.random.default_rng(2)
    pictures = rng.normal(size=(90, 12)).astype(np.float32) * np.arange(1, 13, dtype=np.float32)
    pictures[:, 3] = 7
    words = pictures @ rng.normal(size=(12, 5)) / 30 + rng.normal(size=(90, 5))
    return {"train": pictures[:70], "new": pictures[70:], "words": words[:70].astype(np.float32)}


def test_ridge_equals_that_of_scikit_learn(data: dict[str, np.ndarray]) -> None:
    predicted, about = regress(all_rows(data["new"]), all_rows(data["train"]), data["words"], 10_000, 0)
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(0, 5, 11)))
    model.fit(data["train"].astype(np.float64), data["words"].astype(np.float64))
    np.testing.assert_allclose(predicted, model.predict(data["new"].astype(np.float64)), atol=1e-6)
    assert about == {"penalty": model[-1].alpha_, "items": 70}


def test_the_penalty_has_the_least_error_when_each_item_is_left_out(data: dict[str, np.ndarray]) -> None:
    _, about = regress(all_rows(data["new"]), all_rows(data["train"]), data["words"], 10_000, 0)
    inputs = StandardScaler().fit_transform(data["train"].astype(np.float64))
    errors = []
    for penalty in PENALTIES:
        error = 0.0
        for item in range(70):
            rest = np.arange(70) != item
            x, y = inputs[rest], data["words"][rest].astype(np.float64)
            centre, mean = x.mean(axis=0), y.mean(axis=0)
            weights = np.linalg.solve((x - centre).T @ (x - centre) + penalty * np.eye(12), (x - centre).T @ (y - mean))
            error += float((((inputs[item] - centre) @ weights + mean - data["words"][item]) ** 2).sum())
        errors.append(error)
    assert about["penalty"] == PENALTIES[int(np.argmin(errors))]


def test_a_large_catalogue_takes_a_part_of_its_items(data: dict[str, np.ndarray]) -> None:
    arguments = all_rows(data["new"]), all_rows(data["train"]), data["words"]
    predicted, about = regress(*arguments, 12 * 40, 0)
    assert about["items"] == 40
    np.testing.assert_array_equal(predicted, regress(*arguments, 12 * 40, 0)[0])
    assert not np.array_equal(predicted, regress(*arguments, 12 * 40, 1)[0])
    assert np.unique(choose_items(1_000, 10, 500, 3)).size == 50


def test_the_nearest_pictures_words_are_averaged(data: dict[str, np.ndarray]) -> None:
    found = average_nearest(all_rows(data["new"]), all_rows(data["train"]), data["words"], 4)
    scaler = StandardScaler().fit(data["train"].astype(np.float64))
    train, new = (scaler.transform(data[name].astype(np.float64)) for name in ("train", "new"))
    for row, picture in enumerate(new):
        similar = [float(picture @ other / np.linalg.norm(picture) / np.linalg.norm(other)) for other in train]
        nearest = np.argsort(similar)[-4:]
        np.testing.assert_allclose(found[row], data["words"][nearest].mean(axis=0), atol=1e-6)


def test_fewer_train_items_than_neighbours_are_all_averaged(data: dict[str, np.ndarray]) -> None:
    found = average_nearest(all_rows(data["new"]), all_rows(data["train"][:3]), data["words"][:3], 10)
    np.testing.assert_allclose(found, np.tile(data["words"][:3].mean(axis=0), (20, 1)), atol=1e-6)
