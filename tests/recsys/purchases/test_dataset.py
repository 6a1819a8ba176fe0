import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.core.errors import UserError
from recsys.purchases.dataset import dataset_of


@pytest.mark.parametrize("rating", [np.nan, np.inf, -1.0, 0.0])
def test_a_rating_that_is_not_above_0_is_named(rating: float) -> None:
    train = sp.csr_matrix(([2.0, 1.0, rating], ([0, 1, 1], [0, 0, 2])), shape=(3, 3))
    with pytest.raises(UserError, match=r"1 ratings are not numbers above 0, first .* of item c by the user in row 1"):
        dataset_of(train, ["a", "b", "c"])


def test_a_matrix_is_taken_as_it_is_with_sorted_indices() -> None:
    train = sp.csr_matrix((np.array([3, 2, 1], np.float32), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3))
    data = dataset_of(train)
    assert data.train.indices.tolist() == [0, 2, 1]
    assert data.train.data.tolist() == [2, 3, 1]
    assert train.indices.tolist() == [2, 0, 1]
    assert data.without_validation() is data
    assert data.item_ids == ["0", "1", "2"]


def test_without_validation_is_train_without_its_pairs() -> None:
    train = sp.csr_matrix(np.array([[1, 1, 0], [0, 1, 1]], dtype=np.float32))
    late = sp.csr_matrix(np.array([[0, 1, 0], [0, 0, 0]], dtype=np.float32))
    data = dataset_of(train, validation=late)
    assert data.without_validation().train.toarray().tolist() == [[1, 0, 0], [0, 1, 1]]
    assert data.train.nnz == 4
