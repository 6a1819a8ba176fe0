import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sparse_dot_topn import sp_matmul_topn

import recsys.ranking.topk
from recsys.ranking.topk import Find, find_largest, pack, unpack

FLOATS = st.floats(width=32, allow_nan=False) | st.sampled_from([-np.inf, np.inf, 0.0, -0.0, 1.0])


@given(
    values=arrays.arrays(np.float32, st.integers(1, 20), elements=FLOATS),
    columns=arrays.arrays(np.int64, 20, elements=st.integers(0, 2**31 - 1), unique=True),
)
def test_keys_sort_by_value_and_then_by_the_lower_column(values: np.ndarray, columns: np.ndarray) -> None:
    columns = columns[: len(values)]
    keys = pack(values, columns)
    order = sorted(range(len(values)), key=lambda index: (-values[index], columns[index]))
    assert np.argsort(keys)[::-1].tolist() == order
    back = unpack(keys)
    assert back[0].tolist() == columns.tolist()
    assert back[1].tolist() == values.tolist()


def test_no_key_is_no_column() -> None:
    columns, values = unpack(np.zeros((2, 3), dtype=np.uint64))
    assert (columns == -1).all()
    assert np.isneginf(values).all()


@settings(deadline=None)
@given(
    matrix=arrays.arrays(np.float32, (6, 12), elements=st.sampled_from([0, 0, 1, 1, 1, 2, -1])),
    k=st.integers(1, 14),
    n=st.integers(1, 5),
    width=st.integers(1, 12),
    own=st.booleans(),
)
def test_equals_sorting_every_row_however_few_are_asked_for(
    matrix: np.ndarray, k: int, n: int, width: int, own: bool
) -> None:
    identity = sp.identity(6, dtype=np.float32, format="csr")
    blocks = [sp.csr_matrix(matrix[:, start : start + width]) for start in range(0, 12, width)]

    def find_in(block: sp.csr_matrix) -> Find:
        return lambda rows, n, above: sp_matmul_topn(identity[rows], block, top_n=n, threshold=above)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recsys.ranking.topk, "CELLS", 9)
        columns, values = find_largest([find_in(block) for block in blocks], 6, k, n, np.arange(6) if own else None)
    for row in range(6):
        left = [column for column in range(12) if matrix[row, column] > 0 and not (own and column == row)]
        expected = sorted(left, key=lambda column: (-matrix[row, column], column))[:k]
        assert columns[row].tolist() == (expected + [-1] * k)[:k]
        assert values[row, : len(expected)].tolist() == [matrix[row, column] for column in expected]
