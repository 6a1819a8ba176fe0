"""LightGCN (He et al. 2020): score(u, i) = e_u · e_i, learned from pairs, without features.

e is the mean of the learned vector and of what 1 … `layers` products with the normalised graph of purchases make of it:
each product replaces a user by the mean of the items bought, and an item by that of its buyers. What content adds has
to be more than this.

`variant: paper` adds the mean squared length of the learned vectors of a batch, as bpr does; `mmrec` what MMRec has in
its place: the Frobenius norms of the three blocks of rows, not squared, summed and divided by the batch size.

An item that nobody has bought has no edge, so it keeps the vector that was drawn for it: it cannot be ranked.
"""

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from features.files import Rows
from recsys.pairwise.settings import PairwiseSettings
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Count, Run

if TYPE_CHECKING:
    import torch

    from recsys.graphs.model import GraphModel, Leaves
    from recsys.graphs.purchases import Purchases
    from recsys.pairwise.learning import Batch

SEEDED = True
NEEDS_FEATURES = False
RANKS_COLD = False


class Settings(PairwiseSettings):
    """Section `rec_fit.lightgcn` of params.yaml."""

    SECTION: ClassVar[str] = "rec_fit.lightgcn"

    variant: Literal["paper", "mmrec"]
    layers: Count


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> Factors:
    """Learn the vectors.

    Raises:
        UserError: as `recsys.pairwise.learning.learn`.
    """
    from recsys.pairwise.learning import learn

    return learn(
        lambda: new_model(data, settings, run), partial(read_factors, layers=settings.layers), data, settings, run
    )


def new_model(data: Dataset, settings: Settings, run: Run) -> "GraphModel":
    """Return a model that has learned nothing yet: tables `users` and `items`, (n, factors)."""
    from recsys.graphs.model import GraphModel, new_embeddings
    from recsys.graphs.purchases import Purchases

    tables = new_embeddings(data.train.shape, settings.factors, settings.learning_rate, run.seed, run.device)
    return GraphModel(tables, Purchases(data.train, run.device), partial(compute_loss, settings=settings))


def compute_loss(
    leaves: "Leaves", graph: "Purchases", batch: "Batch", regularisation: float, settings: Settings
) -> "torch.Tensor":
    """Return the loss of a batch."""
    import torch

    from recsys.graphs.model import compare_pairs

    users, bought, other = batch
    of_users, of_items = graph.average_layers(leaves["users"], leaves["items"], settings.layers)
    rows = of_users.index_select(0, users), of_items.index_select(0, bought), of_items.index_select(0, other)
    learned = leaves["users"].index_select(0, users), *(leaves["items"].index_select(0, part) for part in batch[1:])
    if settings.variant == "paper":
        length = torch.stack([part.square().sum(1) for part in learned]).sum(0).mean()
    else:
        length = torch.stack([part.norm() for part in learned]).sum() / len(users)
    return compare_pairs(*rows).mean() + regularisation * length


def read_factors(model: "GraphModel", layers: int) -> Factors:
    """Return the propagated vectors as arrays."""
    import numpy as np

    from recsys.pairwise.adam import to_array

    tables = model.read_tables()
    users, items = model.whole.average_layers(tables["users"], tables["items"], layers)
    return Factors(to_array(users), to_array(items), np.zeros(len(items), np.float32))
