"""VBPR (He and McAuley 2016), learned from pairs.

`variant: paper`: score(u, i) = β_i + γ_u · γ_i + θ_u · (E f_i) + β' · f_i. As in the paper's experiments γ and θ share
the `factors` half and half, so that a model with features has no more of them than BPR, and E and β' are not
regularised. f_i are the item's features, each dimension standardised over the items and divided by √dim: the meaning of
a learning rate then depends neither on an extractor's scale nor on its number of dimensions.

`variant: ducho`: that of the fork the study used (Ducho meets Elliot, 70bc0dc; `external/models/vbpr`): score(u, i) =
γ_u · γ_i + θ_u · p_i / |p_i| with p_i = W f_i + b; no biases, γ and θ of `factors` each, features without
standardisation, Adam over all rows in every step, `regularisation` (its `l_w`) halved and on the normalised projections
too (where it does nothing).
"""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from features.files import Rows
from pipeline.core.errors import UserError, first_five
from recsys.pairwise.settings import PairwiseSettings
from recsys.purchases.dataset import Dataset
from recsys.ranking.settings import Run

if TYPE_CHECKING:
    import torch

    from recsys.pairwise.factors import Factors
    from recsys.pairwise.model import PairwiseModel

SEEDED = True
NEEDS_FEATURES = True


class Settings(PairwiseSettings):
    """Section `rec_fit.vbpr` of params.yaml."""

    SECTION: ClassVar[str] = "rec_fit.vbpr"

    variant: Literal["paper", "ducho"]


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> "Factors":
    """Learn, and project the features of every item.

    Raises:
        UserError: there is another number of features than of items, or a feature is not finite.
    """
    from recsys.pairwise.learning import learn

    assert features is not None
    n_users = data.train.shape[0]
    centre, scale = find_standards(features, data.item_ids)
    if settings.variant == "ducho":
        return learn(lambda: new_ducho_model(n_users, features, settings, run), read_ducho_factors, data, settings, run)
    return learn(
        lambda: new_paper_model(n_users, features, centre, scale, settings, run),
        read_paper_factors,
        data,
        settings,
        run,
    )


def new_paper_model(
    n_users: int, features: Rows, centre: np.ndarray, scale: np.ndarray, settings: Settings, run: Run
) -> "PairwiseModel":
    """Return a model of the paper that has learned nothing yet.

    users: γ_u, θ_u; items: γ_i and, last, β_i; projected: E f_i and, last, β' · f_i.
    """
    import torch

    from recsys.pairwise.adam import Adam
    from recsys.pairwise.factors import draw_initial
    from recsys.pairwise.model import PairwiseModel
    from recsys.pairwise.visual import Visual

    n_items, dim = features.shape
    half, rate, seed, device = settings.factors // 2, settings.learning_rate, run.seed, run.device
    hidden = settings.factors - half
    users = torch.hstack([draw_initial(n_users, hidden, seed, 0, device), draw_initial(n_users, half, seed, 2, device)])
    items = torch.nn.functional.pad(draw_initial(n_items, hidden, seed, 1, device), (0, 1))
    weights = torch.nn.functional.pad(draw_initial(dim, half, seed, 3, device), (0, 1))
    visual = Visual(features, Adam(weights, rate), centre=centre, scale=scale)
    return PairwiseModel(Adam(users, rate, sparse=True), Adam(items, rate, sparse=True), compare_paper, visual)


def compare_paper(
    user: "torch.Tensor",
    bought: "torch.Tensor",
    other: "torch.Tensor",
    bought_seen: "torch.Tensor | None",
    other_seen: "torch.Tensor | None",
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return how much higher each bought item scores, and the squared length of the parameters used: (size,) each."""
    import torch

    assert bought_seen is not None
    assert other_seen is not None
    apart, seen = bought - other, bought_seen - other_seen
    sides = torch.cat([apart[:, :-1], seen[:, :-1]], 1)
    higher = (user * sides).sum(1) + apart[:, -1] + seen[:, -1]
    return higher, user.square().sum(1) + bought.square().sum(1) + other.square().sum(1)


def read_paper_factors(model: "PairwiseModel") -> "Factors":
    """Return what a model of the paper has learned, as arrays."""
    from recsys.pairwise.factors import Factors, to_array

    assert model.visual is not None
    items, seen = to_array(model.items.values), to_array(model.visual.project_all())
    return Factors(to_array(model.users.values), np.hstack([items[:, :-1], seen[:, :-1]]), items[:, -1] + seen[:, -1])


def new_ducho_model(n_users: int, features: Rows, settings: Settings, run: Run) -> "PairwiseModel":
    """Return a model of the fork that has learned nothing yet; initial values have the fork's distributions.

    users: γ_u and θ_u; items: γ_i; projected: p_i.
    """
    import torch

    from recsys.pairwise.adam import Adam
    from recsys.pairwise.model import PairwiseModel
    from recsys.pairwise.visual import Visual

    n_items, dim = features.shape
    width, rate, device = settings.factors, settings.learning_rate, run.device
    random = np.random.default_rng(run.seed)

    def uniform(rows: int, columns: int, bound: float) -> torch.Tensor:
        return torch.from_numpy(random.uniform(-bound, bound, (rows, columns)).astype(np.float32))

    gamma_user = uniform(n_users, width, (6 / (n_users + width)) ** 0.5)  # Xavier; θ_u is not, an oversight of the fork
    theta = torch.from_numpy(random.standard_normal((n_users, width), dtype=np.float32))
    items = uniform(n_items, width, (6 / (n_items + width)) ** 0.5)
    weights, offset = uniform(dim, width, dim**-0.5), uniform(1, width, dim**-0.5)
    visual = Visual(
        features,
        Adam(weights.to(device), rate),
        Adam(offset.to(device), rate),
        centre=np.zeros(dim, np.float32),
        scale=np.ones(dim, np.float32),
    )
    users = torch.hstack([gamma_user, theta]).to(device)
    return PairwiseModel(Adam(users, rate), Adam(items.to(device), rate), compare_ducho, visual)


def compare_ducho(
    user: "torch.Tensor",
    bought: "torch.Tensor",
    other: "torch.Tensor",
    bought_seen: "torch.Tensor | None",
    other_seen: "torch.Tensor | None",
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return how much higher each bought item scores, and half the squared length of what is used: (size,) each."""
    import torch

    assert bought_seen is not None
    assert other_seen is not None
    seen = [torch.nn.functional.normalize(part) for part in (bought_seen, other_seen)]
    higher = (user * torch.cat([bought - other, seen[0] - seen[1]], 1)).sum(1)
    parts = (user, bought, other, *seen)
    return higher, torch.stack([part.square().sum(1) for part in parts]).sum(0) / 2


def read_ducho_factors(model: "PairwiseModel") -> "Factors":
    """Return what a model of the fork has learned, as arrays."""
    import torch

    from recsys.pairwise.factors import Factors, to_array

    assert model.visual is not None
    seen = torch.nn.functional.normalize(model.visual.project_all())
    items = np.hstack([to_array(model.items.values), to_array(seen)])
    return Factors(to_array(model.users.values), items, np.zeros(len(items), np.float32))


def find_standards(features: Rows, item_ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and scale that give each dimension mean 0 and variance 1 over the items, divided by √dim.

    A dimension that is constant gets scale 0, and does not count among the √dim. Features are read a block at a time.

    >>> from features.files import all_rows
    >>> centre, scale = find_standards(all_rows(np.array([[1, 5], [3, 5]], dtype=np.float32)), ["a", "b"])
    >>> centre.tolist(), scale.tolist()
    ([2.0, 5.0], [1.0, 0.0])

    Args:
        features: (n_items, dim).
        item_ids: the id of each row, for messages.

    Returns:
        (dim,) float32 each.

    Raises:
        UserError: there is another number of features than of items, or a feature is not finite.
    """
    n, dim = features.shape
    if n != len(item_ids):
        raise UserError(
            f"{features.source}: {n:,} rows of features for {len(item_ids):,} items; a row for each item is needed"
        )
    total, squares, broken = np.zeros(dim), np.zeros(dim), []
    first = features.take(np.arange(1))[0] if n else np.zeros(dim, np.float32)  # near the mean: no digits are lost
    for part, block in features.blocks():
        broken += [item_ids[part.start + row] for row in np.flatnonzero(~np.isfinite(block).all(1))]
        block -= first
        total += block.sum(0, dtype=np.float64)
        squares += np.einsum("ij,ij->j", block, block, dtype=np.float64)
    if broken:
        raise UserError(
            f"{features.source}: {len(broken):,} of {n:,} items have features that are not finite, "
            f"first {first_five(broken)}; extract them again"
        )
    mean = total / max(1, n)
    spread = np.sqrt(np.maximum(squares / max(1, n) - mean**2, 0))
    informative = spread > 1e-6
    scale = np.divide(1, spread, out=np.zeros(dim), where=informative) / np.sqrt(max(1, informative.sum()))
    return (first + mean).astype(np.float32), scale.astype(np.float32)
