"""Files of arrays: the library reads what was written in blocks, and equal arrays give equal bytes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load_file, save_file

from pipeline.core.errors import UserError
from recsys.arrivals.array_files import Blocks, open_arrays, write_arrays

tables = arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=7))


@given(table=tables, number=st.integers(1, 4), item=arrays.arrays(np.int32, st.integers(0, 5)))
def test_safetensors_reads_what_was_written_in_blocks(
    tmp_path_factory: pytest.TempPathFactory, table: np.ndarray, number: int, item: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "file.safetensors"
    blocks = [table[start : start + number] for start in range(0, len(table), number)]
    write_arrays(path, {"table": Blocks(table.shape, blocks), "item": item})
    read = load_file(path)
    assert sorted(read) == ["item", "table"]
    for name, expected in (("table", table), ("item", item)):
        assert read[name].dtype == expected.dtype
        np.testing.assert_array_equal(read[name], expected)
    other = path.with_name("whole.safetensors")
    write_arrays(other, {"table": table, "item": item})
    assert other.read_bytes() == path.read_bytes()


def test_a_file_of_the_library_is_read_in_parts(tmp_path: Path) -> None:
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    save_file({"table": table}, tmp_path / "file.safetensors")
    with open_arrays(tmp_path / "file.safetensors") as stored:
        assert stored.get_slice("table")[1:3].tolist() == table[1:3].tolist()


def test_too_few_rows_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="table ends at byte"):
        write_arrays(tmp_path / "file.safetensors", {"table": Blocks((3, 2), [np.zeros((2, 2), np.float32)])})
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_missing_or_something_else_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"file\.safetensors: no such file; run `dvc repro`"),
        open_arrays(tmp_path / "file.safetensors"),
    ):
        pass
    (tmp_path / "file.safetensors").write_text("something else")
    with pytest.raises(UserError, match="no file of arrays"), open_arrays(tmp_path / "file.safetensors"):
        pass
