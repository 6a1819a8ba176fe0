"""Principal components: their number, signs and blocks, against scikit-learn."""

from collections.abc import Iterator

import numpy as np
import pytest

from features.components import fit_components, project_blocks
from pipeline.core.errors import UserError


def reduce(array: np.ndarray, share: float, size: int = 7) -> np.ndarray:
    def blocks() -> Iterator[np.ndarray]:
        return (array[start : start + size] for start in range(0, len(array), size))

    return np.concatenate(list(project_blocks(blocks, share, "key")))


def test_keeps_the_variance_and_no_component_more() -> None:
    random = np.random.default_rng(0)
    array = random.normal(size=(60, 12)) * np.array([8, 5, 3, 2, 1, *[0.3] * 7])
    reduced = reduce(array, 0.95)
    assert reduced.shape == (60, 4)
    total = array.var(axis=0).sum()
    assert reduced.var(axis=0).sum() >= 0.95 * total > reduced[:, :-1].var(axis=0).sum()
    distances = lambda rows: np.linalg.norm(rows[:, None] - rows[None], axis=2)  # noqa: E731
    np.testing.assert_allclose(distances(reduce(array, 0.999999)), distances(array), rtol=1e-2)


def test_is_scikit_learn_s_but_for_the_signs() -> None:
    from sklearn.decomposition import PCA

    array = np.random.default_rng(1).normal(size=(40, 6)) * np.array([5, 4, 3, 2, 1, 0.1]) + 100
    pca = PCA(n_components=0.95, svd_solver="full")
    expected, projection = pca.fit_transform(array), reduce(array, 0.95)
    assert projection.shape == expected.shape
    np.testing.assert_allclose(np.abs(projection), np.abs(expected), atol=1e-4)


def test_has_the_signs_of_the_data_and_not_of_the_solver() -> None:
    array = np.random.default_rng(1).normal(size=(40, 6))
    reduced = reduce(array, 0.95)
    np.testing.assert_array_equal(reduce(array, 0.95), reduced)
    turned = np.vstack([array[20:], array[:20]])
    np.testing.assert_allclose(reduce(turned, 0.95), np.vstack([reduced[20:], reduced[:20]]), atol=1e-5)
    components, *_ = np.linalg.lstsq(array - array.mean(axis=0), reduced, rcond=None)  # (6, reduced)
    assert all(column[np.abs(column).argmax()] > 0 for column in components.T)


def test_of_items_that_are_all_alike_has_one_component() -> None:
    assert reduce(np.ones((5, 3)), 0.95).tolist() == [[0.0]] * 5


def test_blocks_do_not_matter() -> None:
    array = np.random.default_rng(3).normal(size=(40, 6))
    np.testing.assert_allclose(reduce(array, 0.95, size=40), reduce(array, 0.95, size=3), atol=1e-6)


def test_other_rows_may_take_the_same_components() -> None:
    array = np.random.default_rng(4).normal(size=(40, 6)) * [9, 8, 7, 0, 0, 0]
    projection = fit_components(lambda: iter([array]), 0.95, "key").project(array[5:6])
    np.testing.assert_allclose(projection, reduce(array, 0.95)[5:6], atol=1e-5)


def test_one_row_is_refused() -> None:
    with pytest.raises(UserError, match=r"rec_features\.reduce: pca95 needs at least two items, found 1"):
        fit_components(lambda: iter([np.zeros((1, 3))]), 0.95, "rec_features.reduce")
