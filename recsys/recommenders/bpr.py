"""BPR-MF (Rendle et al. 2009): score(u, i) = γ_u · γ_i + β_i, learned from pairs."""

from typing import TYPE_CHECKING, ClassVar

from features.files import Rows
from recsys.pairwise.settings import PairwiseSettings
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run

if TYPE_CHECKING:
    import torch

    from recsys.pairwise.model import PairwiseModel

SEEDED = True
NEEDS_FEATURES = False
RANKS_COLD = False


class Settings(PairwiseSettings):
    """Section `rec_fit.bpr` of params.yaml."""

    SECTION: ClassVar[str] = "rec_fit.bpr"


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> Factors:
    """Learn the factors and biases.

    Raises:
        UserError: as `recsys.pairwise.learning.learn`.
    """
    from recsys.pairwise.learning import learn

    n_users, n_items = data.train.shape
    return learn(lambda: new_model(n_users, n_items, settings, run), read_factors, data, settings, run)


def new_model(n_users: int, n_items: int, settings: Settings, run: Run) -> "PairwiseModel":
    """Return a model that has learned nothing yet.

    users: γ_u (n_users, factors); items: γ_i and, last, β_i (n_items, factors + 1).
    """
    from torch.nn.functional import pad

    from recsys.pairwise.adam import Adam, draw_initial
    from recsys.pairwise.model import PairwiseModel

    users = draw_initial(n_users, settings.factors, run.seed, 0, run.device)
    items = draw_initial(n_items, settings.factors, run.seed, 1, run.device)
    rate = settings.learning_rate
    return PairwiseModel(Adam(users, rate, sparse=True), Adam(pad(items, (0, 1)), rate, sparse=True), compare)


def compare(
    user: "torch.Tensor", bought: "torch.Tensor", other: "torch.Tensor", *_: "torch.Tensor | None"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return how much higher each bought item scores, and the squared length of the parameters used: (size,) each."""
    apart = bought - other
    higher = (user * apart[:, :-1]).sum(1) + apart[:, -1]
    return higher, user.square().sum(1) + bought.square().sum(1) + other.square().sum(1)


def read_factors(model: "PairwiseModel") -> Factors:
    """Return what the model has learned, as arrays."""
    from recsys.pairwise.adam import to_array

    items = to_array(model.items.values)
    return Factors(to_array(model.users.values), items[:, :-1], items[:, -1])
