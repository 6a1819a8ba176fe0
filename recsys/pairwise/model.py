"""One step of learning: the rows of a batch are gathered once, compared, and moved along their gradient."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from recsys.pairwise.adam import Adam
from recsys.pairwise.learning import Batch
from recsys.pairwise.visual import Visual

# Rows of a batch: of its users, of its bought and other items, and of those items' projected features (None without
# features). Returns, per triple, how much higher the bought item scores, and the squared length of the parameters used.
Compare = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None],
    tuple[torch.Tensor, torch.Tensor],
]


@dataclass
class PairwiseModel:
    """A model that learns from pairs.

    Attributes:
        users: parameters of users, (n_users, …).
        items: parameters of items, (n_items, …).
        compare: the model's score of a bought item minus that of another one.
        visual: the projection of item features; None: the model has no features.
    """

    users: Adam
    items: Adam
    compare: Compare
    visual: Visual | None = None

    @property
    def parameters(self) -> list[Adam]:
        """Every table of parameters, in a fixed order."""
        return [self.users, self.items, *(self.visual.parameters if self.visual else [])]

    def begin_epoch(self, seed: int, epoch: int) -> None:
        """Do nothing: every epoch learns on the same purchases."""

    def step(self, triples: Batch, regularisation: float) -> torch.Tensor:
        """Move the parameters once, and return the loss before, a scalar."""
        users, bought, other = triples
        user_rows, user = torch.unique(users, return_inverse=True)
        item_index = torch.cat([bought, other])
        item_rows, item = torch.unique(item_index, return_inverse=True)
        leaves = [self.users.rows(user_rows), self.items.rows(item_rows)]
        seen_rows, seen = item_rows, item
        if self.visual:
            if self.visual.is_cheaper_for_all(len(item_rows)):
                seen_rows, seen = None, item_index
            leaves.append(self.visual.project(seen_rows))
        pairs = [leaf.index_select(0, rows).chunk(2) for leaf, rows in zip(leaves[1:], (item, seen), strict=False)]
        of_bought, of_other = zip(*pairs, strict=True)
        features = (of_bought[1], of_other[1]) if self.visual else (None, None)
        higher, length = self.compare(leaves[0].index_select(0, user), of_bought[0], of_other[0], *features)
        loss = torch.nn.functional.softplus(-higher).mean() + regularisation * length.mean()
        gradients = torch.autograd.grad(loss, leaves)
        self.users.update(gradients[0], user_rows)
        self.items.update(gradients[1], item_rows)
        if self.visual:
            self.visual.update(gradients[2], seen_rows)
        return loss.detach()
