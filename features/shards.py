"""Long extractions in shards: each finished shard is a file, so a killed run resumes at the shard it was computing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.batches import make_batches
from pipeline.checkpoints import keep_finished, load_part
from pipeline.core.errors import UserError, first_five

SHARD_ITEMS = 4_096  # about

Compute = Callable[[Sequence[str]], tuple[np.ndarray, ...]]  # of n keys: arrays of (n, …)


class Shards:
    """The outputs of `compute` for `keys`, in float16, with one shard in memory at a time.

    Args:
        folder: of this extraction alone; its name should depend on everything that the outputs depend on.
        keys: what `compute` is called with, a shard at a time.
        compute: returns one or more arrays, each with a row per key.
        batch_size: a shard is a multiple of it, so that shards change no batch, and so no bit.

    Raises:
        UserError: a value is not finite in float16; the message names the keys.
    """

    def __init__(self, folder: Path, keys: Sequence[str], compute: Compute, batch_size: int) -> None:
        self.keys = list(keys)
        self._compute = compute
        size = batch_size * max(1, round(SHARD_ITEMS / batch_size))
        shards = make_batches(self.keys, size)
        self._files = keep_finished(folder, {f"{n * size:08d}": shard for n, shard in enumerate(shards)}, self._run)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self.keys)

    def blocks(self, output: int = 0) -> Iterator[np.ndarray]:
        """Yield the arrays of one output of `compute`, shard by shard, in the order of the keys: (n, …) float16."""
        for file in self._files:
            arrays, _ = load_part(file)
            yield arrays[str(output)]

    def read(self, output: int = 0) -> np.ndarray:
        """Read one output of `compute` for all keys: (len(keys), …) float16."""
        return np.concatenate(list(self.blocks(output)))

    def _run(self, shards: Sequence[Sequence[str]]) -> Iterator[tuple[dict[str, np.ndarray], Mapping[str, Any]]]:
        for keys in shards:
            outputs = enumerate(self._compute(keys))
            yield {str(number): to_float16(array, keys) for number, array in outputs}, {"first": keys[0]}


def to_float16(array: np.ndarray, keys: Sequence[str]) -> np.ndarray:
    """Convert rows to float16: (n, …).

    Raises:
        UserError: a value is not finite in float16.
        ValueError: the number of rows is not the number of keys.
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
            "with precision: bf16 try fp32; otherwise the model's weights are damaged"
        )
    return small
