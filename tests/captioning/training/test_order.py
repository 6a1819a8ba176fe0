"""The order of an epoch: the batches of a shuffle, the same for any number of processes and after a resume."""

from collections.abc import Sequence

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler

from captioning.training import order

LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=120)
SEEDS = st.integers(0, 2**32 - 1)


def order_epoch(lengths: list[int], batch_size: int, seed: int, epoch: int) -> list[int]:
    sampler = order.EpochOrder(lengths, batch_size, seed)
    sampler.set_epoch(epoch)
    return list(sampler)


@given(LENGTHS, st.integers(1, 20), SEEDS, st.integers(0, 50))
def test_the_order_is_a_permutation_that_depends_on_seed_and_epoch_alone(
    lengths: list[int], batch_size: int, seed: int, epoch: int
) -> None:
    torch.manual_seed(1)
    first = order_epoch(lengths, batch_size, seed, epoch)
    torch.manual_seed(2)
    used = order.EpochOrder(lengths, batch_size, seed)
    list(used)  # an epoch before leaves no trace
    used.set_epoch(epoch)
    assert list(used) == first
    assert sorted(first) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 40), SEEDS, st.integers(0, 50))
def test_lengths_do_not_decide_which_items_share_a_step(
    lengths: list[int], batch_size: int, seed: int, epoch: int
) -> None:
    """The batches are those of a plain shuffle by the same seed, each sorted by length; the incomplete one is last."""
    rows = order_epoch(lengths, batch_size, seed, epoch)
    random = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    shuffled = torch.randperm(len(lengths), generator=random).tolist()
    for at in range(0, len(rows), batch_size):
        batch = rows[at : at + batch_size]
        assert sorted(batch) == sorted(shuffled[at : at + batch_size])
        assert [lengths[row] for row in batch] == sorted((lengths[row] for row in batch), reverse=True)


def test_parts_of_a_batch_need_less_padding_than_of_a_shuffle() -> None:
    """64 items a step in parts of 8: of the padding of a plain shuffle, less than a third is left."""
    lengths = torch.randint(3, 40, (5_000,), generator=torch.Generator().manual_seed(0)).tolist()
    ordered = count_padded(lengths, order_epoch(lengths, 64, 42, 0), 8) - sum(lengths)
    plain = count_padded(lengths, range(5_000), 8) - sum(lengths)
    assert 0 < 3 * ordered < plain


def count_padded(lengths: list[int], rows: Sequence[int], size: int) -> int:
    parts = [[lengths[row] for row in rows[at : at + size]] for at in range(0, len(rows), size)]
    return sum(len(part) * max(part) for part in parts)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_see_the_batches_of_one_process(processes: int) -> None:
    """Cut as accelerate does (parts of a batch in turn), all processes together hold the batches of one process."""
    lengths = [number % 7 for number in range(64)]
    rows = order_epoch(lengths, 16, 1, 0)
    parts = list(BatchSampler(rows, 16 // processes, drop_last=False))
    shards = [
        list(BatchSamplerShard(BatchSampler(rows, 16 // processes, False), processes, rank))
        for rank in range(processes)
    ]
    together = [[row for shard in shards for row in shard[step]] for step in range(4)]
    assert [sorted(batch) for batch in together] == [sorted(rows[at : at + 16]) for at in range(0, 64, 16)]
    assert len(parts) == 4 * processes


@given(LENGTHS, st.integers(1, 4), st.integers(2, 4), SEEDS)
def test_an_order_is_padded_until_all_processes_have_as_many_batches(
    lengths: list[int], size: int, processes: int, seed: int
) -> None:
    """Cut as accelerate does: as many whole batches for each, every item once, the rest empty rows at the end."""
    padded = order.PaddedOrder(order.EpochOrder(lengths, size * processes, seed), size * processes)
    padded.set_epoch(3)
    rows = list(padded)
    assert rows[: len(lengths)] == order_epoch(lengths, size * processes, seed, 3)
    assert set(rows[len(lengths) :]) <= {order.EMPTY_ROW}
    assert len(rows) == len(padded) < len(lengths) + size * processes
    batches = BatchSampler(padded, size, drop_last=False)
    shards = [list(BatchSamplerShard(batches, processes, rank)) for rank in range(processes)]
    assert len({len(shard) for shard in shards}) == 1
    items = [row for shard in shards for batch in shard for row in batch if row != order.EMPTY_ROW]
    assert sorted(items) == list(range(len(lengths)))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    assert len({tuple(order_epoch([5] * 20, 4, seed, epoch)) for seed in range(4) for epoch in range(4)}) == 16
