"""Shards: a killed extraction resumes, no batch changes, values that are not finite are named."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from features import shards
from features.shards import Shards
from pipeline.core.errors import UserError

KEYS = [f"item {number}" for number in range(23)]


class Numbers:
    """Two outputs of each key; counts its calls and may end at one of them."""

    def __init__(self, killed_at: int = 0) -> None:
        self.calls: list[list[str]] = []
        self.killed_at = killed_at

    def __call__(self, keys: Sequence[str]) -> tuple[np.ndarray, ...]:
        self.calls.append(list(keys))
        if len(self.calls) == self.killed_at:
            raise KeyboardInterrupt
        numbers = np.array([float(key.split()[1]) for key in keys], dtype=np.float32)
        return numbers[:, None], np.stack([numbers, -numbers], axis=1)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_ITEMS", 10)


def test_blocks_follow_the_keys_in_whole_batches(tmp_path: Path) -> None:
    compute = Numbers()
    numbers = Shards(tmp_path, KEYS, 3, lambda: compute)
    assert [len(keys) for keys in compute.calls] == [9, 9, 5]
    assert numbers.read(0)[:, 0].tolist() == list(range(23))
    assert numbers.read(1).shape == (23, 2)
    assert {block.dtype for block in numbers.blocks(1)} == {np.dtype(np.float16)}


def test_a_killed_extraction_resumes_after_the_last_whole_shard(tmp_path: Path) -> None:
    expected = Shards(tmp_path / "whole", KEYS, 3, Numbers).read(1)
    with pytest.raises(KeyboardInterrupt):
        Shards(tmp_path / "killed", KEYS, 3, Numbers, 3)
    again = Numbers()
    resumed = Shards(tmp_path / "killed", KEYS, 3, lambda: again).read(1)
    assert again.calls == [KEYS[18:]]
    assert resumed.tobytes() == expected.tobytes()


def test_a_damaged_shard_is_computed_again(tmp_path: Path) -> None:
    expected = Shards(tmp_path, KEYS, 3, Numbers).read()
    path = sorted(tmp_path.glob("*.safetensors"))[1]
    path.write_bytes(path.read_bytes()[:-3] + b"bad")
    again = Numbers()
    resumed = Shards(tmp_path, KEYS, 3, lambda: again).read()
    assert again.calls == [KEYS[9:18]]
    assert resumed.tobytes() == expected.tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_values_that_do_not_fit_float16_are_counted_and_named(tmp_path: Path, value: float) -> None:
    def compute(keys: Sequence[str]) -> tuple[np.ndarray, ...]:
        array = np.ones((len(keys), 2), dtype=np.float32)
        array[2:9, 1] = value
        return (array,)

    named = "'item 2', 'item 3', 'item 4', 'item 5', 'item 6', …; "
    with pytest.raises(UserError, match=f"7 of 9 features are not finite in float16, first of {named}"):
        Shards(tmp_path, KEYS, 3, lambda: compute)


def test_missing_rows_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="8 rows for 9 keys"):
        Shards(tmp_path, KEYS, 3, lambda: lambda keys: (np.ones((len(keys) - 1, 2)),))
