"""Features as graph models read them: which items have them, their projection, and whether they are trained."""

import numpy as np
import pytest
import torch

from features.files import Rows
from recsys.graphs.modalities import Modality, new_projections, project_rows, read_modality


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
