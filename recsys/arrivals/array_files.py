"""Files of large arrays in the format of safetensors, written and read in parts, so that no array need be in memory.

The library writes arrays that are all in memory, copied once more. Here a file is written as its format says: the
header's length in 8 bytes, the header in JSON, and the bytes of the arrays one after the other. Reading is the
library's (`safetensors.safe_open`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file

TYPES = {  # the format's names
    np.dtype(np.float32): "F32",
    np.dtype(np.float64): "F64",
    np.dtype(np.int32): "I32",
    np.dtype(np.bool_): "BOOL",
}
ALIGNMENT = 8  # bytes, of the header


class Blocks(NamedTuple):
    """An array as blocks of rows that follow one another: its shape, and the blocks, float32."""

    shape: Sequence[int]
    rows: Iterable[np.ndarray]


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray | Blocks]) -> None:
    """Write named arrays of the types in TYPES; equal arrays give equal bytes.

    Raises:
        ValueError: the blocks of an array have not as many rows as its shape says.
    """
    header: dict[str, dict[str, Any]] = {}
    position = 0
    for name, array in arrays.items():
        kind = array.dtype if isinstance(array, np.ndarray) else np.dtype(np.float32)
        size = int(np.prod(array.shape, dtype=np.int64)) * kind.itemsize
        header[name] = {
            "dtype": TYPES[kind],
            "shape": [int(length) for length in array.shape],
            "data_offsets": [position, position + size],
        }
        position += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with new_file(path) as partial, open(partial, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, array in arrays.items():
            for block in [array] if isinstance(array, np.ndarray) else array.rows:
                file.write(np.ascontiguousarray(block).data)
            end = 8 + len(text) + header[name]["data_offsets"][1]
            if file.tell() != end:
                raise ValueError(f"{path}: {name} ends at byte {file.tell():,} instead of {end:,}")


@contextmanager
def open_arrays(path: Path) -> Iterator[Any]:
    """Open a file of `write_arrays`: `keys()`, `get_tensor(name)`, and `get_slice(name)[start:end]` read it.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"{path}: no such file; run `dvc repro` to write it")
    try:
        with safe_open(path, "numpy") as arrays:
            yield arrays
    except SafetensorError as error:
        raise UserError(f"{path}: no file of arrays: {error}; run `dvc repro` to write it again") from error
