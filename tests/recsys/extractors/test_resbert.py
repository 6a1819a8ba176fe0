"""ResBERT: both blocks weigh the same in every row, and rows are found by id."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features.files import write_features
from pipeline.core.errors import UserError
from recsys.extractors import Options
from recsys.extractors.resbert import image_vectors, text_vectors

IDS = [f"{number:010d}" for number in range(6)]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Image features that nearly all point the same way, as those behind a rectifier do."""
    monkeypatch.chdir(tmp_path)
    array = (50 + np.random.default_rng(0).normal(size=(6, 10))).astype(np.float16)
    write_features("data/features/image/resnet50", IDS, array)
    return array.astype(np.float32)


def test_rows_are_found_by_id(stored: np.ndarray, options: Callable[..., Options]) -> None:
    straight = image_vectors(IDS, {}, options())
    np.testing.assert_array_equal(image_vectors(IDS[::-1], {}, options()), straight[::-1])
    np.testing.assert_array_equal(image_vectors(IDS[2:4], {}, options()), straight[2:4])


def test_both_blocks_have_length_one(stored: np.ndarray, options: Callable[..., Options]) -> None:
    np.testing.assert_allclose(np.linalg.norm(image_vectors(IDS, {}, options()), axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(text_vectors(["", "a red shirt"], options()), axis=1), 1, atol=1e-5)


def test_what_all_pictures_share_does_not_count(stored: np.ndarray, options: Callable[..., Options]) -> None:
    vectors = image_vectors(IDS, {}, options())
    centred = stored - stored.mean(axis=0)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert (vectors @ vectors.T)[np.triu_indices(6, 1)].mean() < 0.5


def test_an_item_at_the_mean_has_zeros_and_no_nan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Callable[..., Options]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_features("data/features/image/resnet50", ["a", "b", "c"], np.array([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]))
    assert image_vectors(["b"], {}, options()).tolist() == [[0.0, 0.0]]


def test_an_item_without_image_features_is_named(stored: np.ndarray, options: Callable[..., Options]) -> None:
    with pytest.raises(UserError, match="first 9999999999"):
        image_vectors(["9999999999"], {}, options())
