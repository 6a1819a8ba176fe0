"""Long extractions in shards: each is a file in a workplace, so that a killed run goes on from the last one that is whole."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline import checkpoints
from pipeline.core.errors import UserError, first_five

ITEMS = 4_096  # of a shard, about

Compute = Callable[[Sequence[str]], tuple[np.ndarray, ...]]  # of n keys: arrays of (n, …)


class Shards:
    """What `compute` says of `keys`, in float16, one shard in memory at a time.

    Args:
        folder: of this extraction alone; the caller's key says what its content depends on.
        batch_size: a shard is a multiple of it, so that shards change no batch, and so no bit.

    Raises:
        UserError: a value is not finite in float16; the message names the keys.
    """

    def __init__(self, folder: Path, keys: Sequence[str], compute: Compute, batch_size: int) -> None:
        self.keys, self.folder = list(keys), folder
        size = batch_size * max(1, round(ITEMS / batch_size))
        self._starts = range(0, len(self.keys), size)
        self._size = size
        for start in self._starts:
            path = self._path(start)
            if checkpoints.load(path) is None:
                checkpoints.save(path, self._computed(compute, start), {"first": self.keys[start]})

    def __len__(self) -> int:
        return len(self.keys)

    def blocks(self, output: int = 0) -> Iterator[np.ndarray]:
        """The arrays of one output of `compute`, shard by shard, in the order of the keys: (n, …) float16."""
        for start in self._starts:
            found = checkpoints.load(self._path(start))
            assert found is not None, f"{self._path(start)} was there a moment ago"
            yield found[0][str(output)]

    def all(self, output: int = 0) -> np.ndarray:
        """(len(keys), …) float16."""
        return np.concatenate(list(self.blocks(output)))

    def _path(self, start: int) -> Path:
        return self.folder / f"{start:08d}.safetensors"

    def _computed(self, compute: Compute, start: int) -> dict[str, np.ndarray]:
        keys = self.keys[start : start + self._size]
        arrays = {str(number): array for number, array in enumerate(compute(keys))}
        return {name: half(array, keys) for name, array in arrays.items()}


def half(array: np.ndarray, keys: Sequence[str]) -> np.ndarray:
    """In float16: (n, …).

    Raises:
        UserError: a value is not finite there.
        ValueError: there is another number of rows than of keys.
    """
    if len(array) != len(keys):
        raise ValueError(f"{len(array)} rows for {len(keys)} keys")
    with np.errstate(over="ignore"):
        small = array.astype(np.float16)
    finite = np.isfinite(small).reshape(len(small), -1).all(1)
    if not finite.all():
        broken = [repr(keys[row]) for row in np.flatnonzero(~finite).tolist()]
        raise UserError(
            f"{len(broken)} of {len(keys)} features are not finite in float16, first of {first_five(broken)}; "
            "with precision: bf16 try fp32; else the model's weights are damaged"
        )
    return small
