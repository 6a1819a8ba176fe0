"""ResBERT: both blocks weigh the same in every row, and rows are found by id."""

from pathlib import Path

import numpy as np
import pytest

from catalogue.prepared.views import average_views, name_view
from features.files import write_features
from pipeline.core.errors import UserError
from recsys.extractors import resbert
from tests.recsys.extractors.settings import settings_of

IDS = [f"{number:010d}" for number in range(6)]


def image_vectors(ids: list[str]) -> np.ndarray:
    return resbert.image_vectors(ids, {}, settings_of(resbert), "cpu")


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Image features that nearly all point the same way, as those behind a rectifier do."""
    monkeypatch.chdir(tmp_path)
    array = (50 + np.random.default_rng(0).normal(size=(6, 10))).astype(np.float16)
    write_features("data/features/image/resnet50", IDS, array)
    return array.astype(np.float32)


def test_rows_are_found_by_id(stored: np.ndarray) -> None:
    straight = image_vectors(IDS)
    np.testing.assert_array_equal(image_vectors(IDS[::-1]), straight[::-1])
    np.testing.assert_array_equal(image_vectors(IDS[2:4]), straight[2:4])


def test_an_item_of_several_pictures_has_the_row_of_its_mean(stored: np.ndarray) -> None:
    """`catalogue_prepare.images: all`: what is stored of an item is the mean over its pictures already."""
    pictures = {*IDS, name_view(IDS[1], 2), name_view(IDS[1], 3), name_view(IDS[4], 2)}
    rows = average_views(IDS, pictures, lambda names: (image_vectors(list(names)),))[0]
    np.testing.assert_array_equal(rows, image_vectors(IDS))


def test_both_blocks_have_length_one(stored: np.ndarray) -> None:
    np.testing.assert_allclose(np.linalg.norm(image_vectors(IDS), axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(resbert.text_vectors(["", "a red shirt"], settings_of(resbert), "cpu"), axis=1), 1, atol=1e-5
    )


def test_what_all_pictures_share_does_not_count(stored: np.ndarray) -> None:
    vectors = image_vectors(IDS)
    centred = stored - stored.mean(axis=0)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert (vectors @ vectors.T)[np.triu_indices(6, 1)].mean() < 0.5


def test_an_item_at_the_mean_has_zeros_and_no_nan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_features("data/features/image/resnet50", ["a", "b", "c"], np.array([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]))
    assert image_vectors(["b"]).tolist() == [[0.0, 0.0]]


def test_an_item_without_image_features_is_named(stored: np.ndarray) -> None:
    with pytest.raises(UserError, match="first 9999999999"):
        image_vectors(["9999999999"])
