"""Long extractions in shards: each finished shard is a file, so a killed run resumes at the shard it was computing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.batches import make_batches
from pipeline.checkpoints import is_whole, load_part, part_path, save
from pipeline.cluster import Write, make_files
from pipeline.core.errors import UserError, first_five
from pipeline.machine import HERE, Where

SHARD_ITEMS = 4_096  # about

Compute = Callable[[Sequence[str]], tuple[np.ndarray, ...]]  # of n keys: arrays of (n, …)
OpenCompute = Callable[..., Compute]  # loads what `Compute` needs


class Shards:
    """The outputs of a computation for `keys`, in float16, with one shard in memory at a time.

    Args:
        folder: of this extraction alone; its name should depend on everything that the outputs depend on.
        keys: what is computed, a shard at a time.
        batch_size: a shard is a multiple of it, so that shards change no batch, and so no bit.
        where: the process or the cluster that computes the missing shards.
        open_: a function of a module; returns what computes one or more arrays, each with a row per key. It is called
            once in each process that computes, and not at all if no shard is missing.
        arguments: of `open_`.

    Raises:
        UserError: a value is not finite in float16; the message names the keys.
    """

    def __init__(
        self,
        folder: Path,
        keys: Sequence[str],
        batch_size: int,
        open_: OpenCompute,
        *arguments: Any,
        where: Where = HERE,
    ) -> None:
        self.keys = list(keys)
        size = batch_size * max(1, round(SHARD_ITEMS / batch_size))
        shards = make_batches(self.keys, size)
        parts = {part_path(folder, f"{n * size:08d}"): shard for n, shard in enumerate(shards)}
        self._files = make_files(parts, open_shards, open_, arguments, where=where, is_whole=is_whole)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self.keys)

    def blocks(self, output: int = 0) -> Iterator[np.ndarray]:
        """Yield the arrays of one output, shard by shard, in the order of the keys: (n, …) float16."""
        for file in self._files:
            arrays, _ = load_part(file)
            yield arrays[str(output)]

    def read(self, output: int = 0) -> np.ndarray:
        """Read one output for all keys: (len(keys), …) float16."""
        return np.concatenate(list(self.blocks(output)))


def open_shards(open_: OpenCompute, arguments: tuple[Any, ...]) -> Write:
    """Open what writes shards: the outputs of a computation for the keys of each."""
    compute = open_(*arguments)

    def write(shards: Mapping[Path, Sequence[str]]) -> None:
        for path, keys in shards.items():
            arrays = {str(number): to_float16(array, keys) for number, array in enumerate(compute(keys))}
            save(path, arrays, {"first": keys[0]})

    return write


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
