"""One step of learning: the rows that a batch meets are gathered once, compared, and moved along their gradient."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from recsys.pairwise.adam import Adam
from recsys.pairwise.triples import Batch
from recsys.pairwise.visual import Visual

# Rows of a batch: of its users, of its bought and other items, and of those items' projected features (None without
# features). Answers, per triple, how much higher the bought item scores, and the squared length of the parameters used.
Compare = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None],
    tuple[torch.Tensor, torch.Tensor],
]


@dataclass
class Pairwise:
    """A model that is learned from pairs."""

    users: Adam  # (n_users, …)
    items: Adam  # (n_items, …)
    compare: Compare
    visual: Visual | None = None

    @property
    def parameters(self) -> list[Adam]:
        return [self.users, self.items, *(self.visual.parameters if self.visual else [])]


def step(model: Pairwise, triples: Batch, regularisation: float) -> torch.Tensor:
    """Moves the parameters once; the loss before, a scalar."""
    users, bought, other = triples
    user_rows, user = torch.unique(users, return_inverse=True)
    item_index = torch.cat([bought, other])
    item_rows, item = torch.unique(item_index, return_inverse=True)
    leaves = [model.users.rows(user_rows), model.items.rows(item_rows)]
    seen_rows, seen = item_rows, item
    if model.visual:
        if model.visual.wants_all(len(item_rows)):
            seen_rows, seen = None, item_index
        leaves.append(model.visual.project(seen_rows))
    pairs = [leaf.index_select(0, place).chunk(2) for leaf, place in zip(leaves[1:], (item, seen), strict=False)]
    better, worse = zip(*pairs, strict=True)
    seen_pair = (better[1], worse[1]) if model.visual else (None, None)
    higher, length = model.compare(leaves[0].index_select(0, user), better[0], worse[0], *seen_pair)
    loss = torch.nn.functional.softplus(-higher).mean() + regularisation * length.mean()
    gradients = torch.autograd.grad(loss, leaves)
    model.users.update(gradients[0], user_rows)
    model.items.update(gradients[1], item_rows)
    if model.visual:
        model.visual.update(gradients[2], seen_rows)
    return loss.detach()
