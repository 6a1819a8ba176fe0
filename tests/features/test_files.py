"""Feature files: every row stays with its item, whatever the order of the ids."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.files import read_features, write_features
from pipeline.core.errors import UserError

ITEMS = [f"{number:010d}" for number in (351332007, 5, 108775015, 42, 999999999, 351332001)]


def vector_of(item: str) -> list[float]:
    """Numbers that float16 holds exactly, and that belong to this item alone."""
    return [float(int(item) % 1000), float(int(item) // 1000 % 1000), float(int(item) // 1_000_000)]


@given(st.permutations(ITEMS), st.lists(st.sampled_from(ITEMS), max_size=20))
def test_permuted_ids_find_every_row_still_with_its_item(
    tmp_path_factory: pytest.TempPathFactory, stored: list[str], requested: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("features") / "resnet50"
    write_features(folder, stored, np.array([vector_of(item) for item in stored]))
    rows = read_features(folder).take(requested)
    assert rows.shape == (len(requested), 3)
    assert rows.tolist() == [vector_of(item) for item in requested]


def test_leading_zeros_of_ids_survive(tmp_path: Path) -> None:
    write_features(tmp_path / "f", ITEMS, np.zeros((6, 2)))
    assert read_features(tmp_path / "f").ids == tuple(ITEMS)


def test_arrays_are_float16_on_disk_and_float32_in_rows(tmp_path: Path) -> None:
    write_features(tmp_path / "f", ["a"], np.array([[0.1]]))
    features = read_features(tmp_path / "f")
    assert features.array.dtype == np.float16
    assert isinstance(features.array, np.memmap)
    assert features.take(["a"]).dtype == np.float32
    assert features.take(["a"])[0, 0] == np.float32(np.float16(0.1))


def test_an_item_without_a_row_is_named(tmp_path: Path) -> None:
    write_features(tmp_path / "f", ["a", "b"], np.zeros((2, 1)))
    with pytest.raises(UserError, match="2 of 3 items have no features, first c"):
        read_features(tmp_path / "f").take(["a", "c", "d"])


@pytest.mark.parametrize(
    ("ids", "array", "message"),
    [
        (["a"], np.zeros((2, 1)), "2 rows for 1 ids"),
        (["a", "a"], np.zeros((2, 1)), "1 of them distinct"),
        (["a"], np.array([[np.nan]]), "not finite"),
        (["a"], np.array([[70_000.0]]), "not finite in float16"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_wrong_arrays_are_refused_and_leave_nothing(
    tmp_path: Path, ids: list[str], array: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_features(tmp_path / "f", ids, array)
    assert list(tmp_path.iterdir()) == []


def test_the_same_features_have_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_features(tmp_path / name, ITEMS, np.arange(12.0).reshape(6, 2))
    for file in ("features.npy", "ids.txt"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
