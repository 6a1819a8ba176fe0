"""The order in which an epoch visits its items, the same for any number of processes."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

EMPTY_ROW = -1  # a row of which nothing is supervised
# Padding is 7 % of a batch, instead of 40 % in shuffled batches. The price: captions of a batch become more alike, and
# over three seeds the sample's validation loss is 1.5 % higher than with shuffled batches (3 % with pools of 50).
BATCHES_SORTED_TOGETHER = 8


class EpochOrder(Sampler[int]):
    """Orders the items of an epoch: batches of captions of about the same length, the batches in random order.

    The order depends on lengths, batch size, seed and epoch alone, so a resumed epoch has the same order, and any
    number of processes the same batches. Each run of `batch_size` items is one effective batch, sorted by length, so
    that its parts need little padding too; an incomplete batch comes last.

    Args:
        lengths: of the items, in tokens.
        batch_size: items of an optimiser step, on all processes together.
        seed: of the run.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = torch.tensor(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose order is read next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        shuffled = torch.randperm(len(self), generator=random)
        whole = len(self) // self.batch_size * self.batch_size
        pools = self._split_into_pools(shuffled[:whole])
        batches = torch.cat([shuffled[:0], *map(self._sort, pools)]).view(-1, self.batch_size)
        yield from batches[torch.randperm(len(batches), generator=random)].flatten().tolist()
        yield from self._sort(shuffled[whole:]).tolist()

    def _split_into_pools(self, items: torch.Tensor) -> Sequence[torch.Tensor]:
        """Splits items into pools that are sorted each by itself, so that batches differ from epoch to epoch."""
        return items.split(BATCHES_SORTED_TOGETHER * self.batch_size)

    def _sort(self, items: torch.Tensor) -> torch.Tensor:
        """Sorts by length, longest first; items of equal length keep their order."""
        return items[self.lengths[items].sort(descending=True, stable=True).indices]


class PaddedOrder(Sampler[int]):
    """Pads an order with empty rows, so that every process gets the same number of batches and no item is repeated.

    (accelerate would begin again from the first item, whose tokens would then count twice.)

    Args:
        order: of the items.
        together: rows of the batches that all processes see at the same time.
    """

    def __init__(self, order: EpochOrder | Sequence[int], together: int) -> None:
        self.order = order
        self.n_empty = -len(order) % together

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose order is read next."""
        if isinstance(self.order, EpochOrder):
            self.order.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.order) + self.n_empty

    def __iter__(self) -> Iterator[int]:
        yield from self.order
        yield from [EMPTY_ROW] * self.n_empty
