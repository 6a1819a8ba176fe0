"""The order in which an epoch visits its items, the same for any number of processes."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

EMPTY_ROW = -1  # a row of which nothing is supervised


class EpochOrder(Sampler[int]):
    """Orders the items of an epoch: a permutation by seed and epoch, in effective batches sorted by length.

    Which items share an optimiser step depends on their number, batch size, seed and epoch alone, as with a plain
    shuffle. (Batches of captions of similar length need less padding, and cost 1.5 % of the sample's validation loss.)
    Lengths decide only where in its batch an item stands: so the parts that devices compute one after another need
    little padding. A resumed epoch has the same order, and any number of processes the same batches; an incomplete
    batch comes last.

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
        for batch in torch.randperm(len(self), generator=random).split(self.batch_size):
            yield from batch[self.lengths[batch].sort(descending=True, stable=True).indices].tolist()


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
