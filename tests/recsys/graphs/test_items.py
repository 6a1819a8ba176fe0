"""The graph of items that are alike: the reference's, and rows of items that lack a modality."""

from pathlib import Path

import numpy as np

from features.files import all_rows
from recsys.graphs.items import average_neighbours, mix_modalities
from recsys.graphs.neighbours import find_nearest

GOLDEN = Path(__file__).parents[2] / "golden/mmrec"


def build(features: np.ndarray) -> np.ndarray:
    rows = all_rows(features)
    return average_neighbours(find_nearest(rows, rows, 10), len(rows))


def test_the_mixed_graph_is_that_of_the_reference() -> None:
    data, reference = np.load(GOLDEN / "data.npz"), np.load(GOLDEN / "FREEDOM.npz")
    expected = np.zeros((40, 40))
    np.add.at(expected, (reference["graph/mm_row"], reference["graph/mm_col"]), reference["graph/mm_value"])
    found = mix_modalities([build(data["image"]), build(data["text"])], [0.1, 0.9])
    np.testing.assert_allclose(found.toarray(), expected, rtol=0, atol=1e-7)


def test_an_item_without_a_text_takes_its_row_from_the_pictures_alone() -> None:
    data = np.load(GOLDEN / "data.npz")
    image, text = data["image"].copy(), data["text"].copy()
    text[:12], image[8:16] = 0, 0
    pictures, words = build(image), build(text)
    mixed = mix_modalities([pictures, words], [0.1, 0.9])
    np.testing.assert_allclose(mixed[:8].toarray(), pictures[:8].toarray())
    assert mixed[8:12].nnz == 0  # neither
    np.testing.assert_allclose(mixed[12:16].toarray(), words[12:16].toarray())
    np.testing.assert_allclose(mixed[16:].toarray(), (0.1 * pictures + 0.9 * words)[16:].toarray())
    assert words[:, :12].nnz == 0  # nobody's neighbours by a text that they lack
    np.testing.assert_allclose(np.delete(mixed.sum(1), range(8, 12)), 1)


def test_fewer_items_than_neighbours_are_averaged_as_they_are() -> None:
    graph = build(np.array([[1, 0], [1, 1], [0, 0]], dtype=np.float32))
    np.testing.assert_allclose(graph.toarray(), [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0]])
