"""Feature files: every row stays with its item, whatever the order of the ids."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.files import all_rows, load_array, read_features, write_columns, write_features
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


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", ["", "end"])
def test_ids_are_lines_of_any_editor_and_keep_their_characters(
    tmp_path: Path, line_end: str, mark: str, last: str
) -> None:
    ids = ("a b", "\u2028", "x\x0by", "\x85")
    (tmp_path / "ids.txt").write_bytes((mark + line_end.join(ids) + (line_end if last else "")).encode())
    np.save(tmp_path / "features.npy", np.ones((4, 2)))
    assert read_features(tmp_path).ids == ids


def save_several(path: Path) -> None:
    with open(path, "wb") as file:
        np.savez(file, a=np.ones(2))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (save_several, "cannot be read as a NumPy array: it holds several"),
        (lambda path: np.save(path, np.array(["a", "b"])), "expected numbers of shape"),
        (
            lambda path: np.save(path, np.array([{}], dtype=object), allow_pickle=True),
            "cannot be read as a NumPy array",
        ),
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'descr': (((("), "cannot be read as a NumPy array"),
        (lambda path: path.write_bytes(b""), "cannot be read as a NumPy array"),
    ],
)
def test_a_file_that_is_no_array_of_numbers_is_refused_by_name(
    tmp_path: Path, write: Callable[[Path], None], message: str
) -> None:
    write(tmp_path / "features.npy")
    (tmp_path / "ids.txt").write_text("a\nb\n")
    for read in (read_features, lambda folder: load_array(folder / "features.npy")):
        with pytest.raises(UserError, match=rf"features\.npy: {message}"):
            read(tmp_path)
    np.save(tmp_path / "features.npy", np.ones((2, 2)))
    (tmp_path / "ids.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(UserError, match=r"ids\.txt: byte 2 is not UTF-8"):
        read_features(tmp_path)


def test_a_folder_says_which_columns_are_the_pictures(tmp_path: Path) -> None:
    array = np.array([vector_of(item) for item in ITEMS])
    write_features(tmp_path / "f", ITEMS, array)
    assert read_features(tmp_path / "f").select(ITEMS).n_pictures == 0
    write_columns(tmp_path / "f", 2)
    rows = read_features(tmp_path / "f").select(ITEMS[::-1])
    parts = rows.divide({"image": rows.n_pictures, "text": 1})
    assert parts["image"].source == str(tmp_path / "f")
    np.testing.assert_array_equal(parts["image"].take(np.arange(6)), array[::-1, :2].astype(np.float32))
    np.testing.assert_array_equal(parts["text"].take(np.array([3])), array[[2], 2:].astype(np.float32))
    np.testing.assert_array_equal(np.concatenate([block for _, block in rows.blocks()]), rows.take(np.arange(6)))


@pytest.mark.parametrize("n_pictures", [0, 1, 2, 3])
def test_rows_are_the_same_whatever_the_columns_are_said_to_be(tmp_path: Path, n_pictures: int) -> None:
    write_features(tmp_path / "f", ITEMS, np.array([vector_of(item) for item in ITEMS]))
    expected = read_features(tmp_path / "f").take(ITEMS)
    write_columns(tmp_path / "f", n_pictures)
    np.testing.assert_array_equal(read_features(tmp_path / "f").take(ITEMS), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"pictures": 4}',
            "pictures: 4 is not allowed; must be a whole number from 0 to 3, the columns",
        ),
        ('{"pictures": -1}', "pictures: -1 is not allowed"),
        ('{"pictures": 1.0}', "pictures: 1.0 is not allowed"),
        ('{"pictures": true}', "pictures: True is not allowed"),
        ('{"pictures": "2"}', "pictures: '2' is not allowed"),
        ("{}", "pictures: None is not allowed"),
        ("[2]", "pictures: None is not allowed"),
        ("pictures: 2", "is no JSON"),
        ("\x93", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_columns_that_say_nothing_are_refused(tmp_path: Path, text: str, message: str) -> None:
    write_features(tmp_path / "f", ITEMS, np.array([vector_of(item) for item in ITEMS]))
    (tmp_path / "f/columns.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=rf"f/columns\.json: {message}"):
        read_features(tmp_path / "f")


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0]), max_size=12))
def test_rows_that_differ_stand_for_all(values: list[float]) -> None:
    """Zeros of either sign are equal."""
    rows = all_rows(np.array([[value, 2.0] for value in values], dtype=np.float16).reshape(-1, 2))
    different, number = rows.find_different()
    np.testing.assert_array_equal(different.take(number), rows.take(np.arange(len(rows))))
    assert len(different) == len(set(values))
    assert different.index.tolist() == sorted(different.index)
