"""Further pictures of an item: their names, and the mean of what is computed of all of them."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from catalogue.prepared.images import ImageStore, pack_images
from catalogue.prepared.views import average_views, list_views, name_view


@given(st.dictionaries(st.text("ab7-_ ", min_size=1, max_size=4), st.integers(1, 5), min_size=1, max_size=8))
def test_features_are_the_mean_over_an_items_own_pictures(sizes: dict[str, int]) -> None:
    values = {
        name_view(item, number): hash((item, number)) % 97 for item in sizes for number in range(1, sizes[item] + 1)
    }

    def compute(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        vector = np.array([values[name] for name in names], np.float32)
        return vector[:, None], np.stack([vector, -vector], axis=1)[:, None]

    items = list(sizes)
    first, second = average_views(items, values, compute)
    for row, item in enumerate(items):
        own = np.mean([values[name_view(item, number)] for number in range(1, sizes[item] + 1)])
        np.testing.assert_allclose(first[row], [own], rtol=1e-6)
        np.testing.assert_allclose(second[row], [[own, -own]], rtol=1e-6)
    assert (first.dtype, first.shape, second.shape) == (np.float32, (len(items), 1), (len(items), 1, 2))


def test_where_each_item_has_one_picture_the_arrays_are_as_computed() -> None:
    array = np.zeros((2, 3), np.float32)
    assert average_views(["a", "b"], {"a", "b"}, lambda names: (array,))[0] is array


def test_packed_pictures_are_found_by_their_item(tmp_path: Path) -> None:
    def draw(name: str) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (len(name), 0, 0)).save(buffer, "PNG")
        return buffer.getvalue()

    names = ["7", name_view("7", 2), name_view("7", 3), "77", "8"]
    pack_images(tmp_path, {name: name for name in names}, draw, 16)
    store = ImageStore(tmp_path)
    assert list_views("7", store) == names[:3]
    assert [list_views(item, store) for item in ("77", "8")] == [["77"], ["8"]]
