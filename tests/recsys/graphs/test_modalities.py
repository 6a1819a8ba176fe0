"""Features as graph models read them: which items have them, their projection, and whether they are trained."""

import numpy as np
import pytest
import torch

from features.files import Rows, all_rows
from recsys.graphs.modalities import (
    Modality,
    divide_arrivals,
    divide_features,
    new_projections,
    project_rows,
    read_modalities,
    read_modality,
)


def read() -> tuple[np.ndarray, Modality]:
    array = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float16)
    array[3] = 0
    order = np.array([8, 3, 1, 0, 5])
    return array[order].astype(np.float32), read_modality(Rows(array, order), 2, "cpu")


def test_rows_of_zeros_are_items_without_the_modality() -> None:
    expected, modality = read()
    np.testing.assert_array_equal(modality.features.numpy(), expected)
    assert modality.known.tolist() == [True, False, True, True, True]
    assert modality.neighbours.items.shape == (5, 2)


@pytest.mark.parametrize("trained", [False, True])
def test_a_projection_is_that_of_a_linear_layer(trained: bool) -> None:
    expected, modality = read()
    tables = new_projections({"text": modality}, 3, 0.1, trained, 1, "cpu")
    assert set(tables) == {"text.weights", "text.offset"} | ({"text.features"} if trained else set())
    leaves = {name: table.values.clone().requires_grad_() for name, table in tables.items()}
    rows = torch.tensor([4, 0, 4])
    linear = torch.nn.functional.linear(
        torch.from_numpy(expected[rows]), leaves["text.weights"].T, leaves["text.offset"][0]
    )
    found = project_rows(leaves, "text", modality, rows)
    torch.testing.assert_close(found, linear)
    found.sum().backward()
    if trained:
        moved = leaves["text.features"].grad.abs().sum(1) > 0  # type: ignore[union-attr]
        assert moved.tolist() == [True, False, False, False, True]


def test_training_leaves_the_features_that_were_read_alone() -> None:
    expected, modality = read()
    tables = new_projections({"text": modality}, 3, 0.1, True, 1, "cpu")
    tables["text.features"].update(torch.ones(5, 4))
    np.testing.assert_array_equal(modality.features.numpy(), expected)


@pytest.mark.parametrize(
    ("n_pictures", "widths"), [(0, {"content": 4}), (1, {"image": 1, "text": 3}), (4, {"content": 4})]
)
def test_features_with_pictures_and_words_are_two_modalities(n_pictures: int, widths: dict[str, int]) -> None:
    array, order = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float16), np.array([8, 3, 1])
    parts = divide_features(Rows(array, order, "folder", n_pictures))
    assert {name: part.shape[1] for name, part in parts.items()} == widths
    joined = np.hstack([part.take(np.arange(3)) for part in parts.values()])
    np.testing.assert_array_equal(joined, array[order].astype(np.float32))


def test_modalities_are_read_as_if_each_was_a_feature_set() -> None:
    array = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    array[7, :2] = 0
    array[8, 2:] = 0
    both = read_modalities(Rows(array, np.arange(30), "folder", 2), 4, "cpu")
    for name, columns in (("image", array[:, :2]), ("text", array[:, 2:])):
        alone = read_modality(all_rows(np.ascontiguousarray(columns)), 4, "cpu")
        assert torch.equal(both[name].features, alone.features)
        assert torch.equal(both[name].known, alone.known)
        np.testing.assert_array_equal(both[name].neighbours.items, alone.neighbours.items)


def test_arrivals_are_divided_as_the_features_of_the_fit() -> None:
    """Whatever their own folder says: folders of arrivals do not."""
    array = np.arange(12, dtype=np.float32).reshape(2, 6)
    for learned in (
        {"text.features": np.zeros((9, 4)), "image.features": np.zeros((9, 2)), "query.weights": np.zeros((3, 3))},
        {"text.weights": np.zeros((4, 8)), "image.weights": np.zeros((2, 8)), "predictor.weights": np.zeros((8, 8))},
    ):
        parts = divide_arrivals(learned, all_rows(array))
        assert list(parts) == ["image", "text"]
        np.testing.assert_array_equal(parts["image"].take(np.arange(2)), array[:, :2])
    with pytest.raises(ValueError, match=r"features: 6 columns for parts of \{'content': 5\}"):
        divide_arrivals({"content.features": np.zeros((9, 5))}, all_rows(array))
