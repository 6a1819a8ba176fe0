"""VBPR (He and McAuley 2016), learned from pairs.

`variant: paper`: score(u, i) = β_i + γ_u · γ_i + θ_u · (E f_i) + β' · f_i. As in the paper's experiments γ and θ share
the `factors` half and half, so that a model with features has no more of them than BPR, and E and β' are not
regularised. f_i are the item's features, each dimension standardised over the items and divided by √dim: the meaning of
a learning rate then depends neither on an extractor's scale nor on its number of dimensions.

`variant: ducho`: that of the fork the study used (Ducho meets Elliot, 70bc0dc; `external/models/vbpr`): score(u, i) =
γ_u · γ_i + θ_u · p_i / |p_i| with p_i = W f_i + b; no biases, γ and θ of `factors` each, features without
standardisation, Adam over all rows in every step, `regularisation` (its `l_w`) halved and on the normalised projections
too (where it does nothing).

`variant: mmrec`: that of MMRec (e775373): score(u, i) = γ_u · γ_i + θ_u · (W f_i + b), γ and θ of `factors` each,
features as they are, Adam over all rows; `regularisation` weighs the Frobenius norms of the users' and items' vectors
of a batch, projections included, not squared, summed and divided by the batch size.

An item that was not in the fit is ranked by its features alone: its γ_i and β_i are 0, where learning began, and its
features are standardised as those of the fit.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from features.files import Rows
from recsys.pairwise.settings import PairwiseSettings
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors, ItemFactors
from recsys.ranking.settings import Run
from recsys.recommenders._standards import find_standards, scale_rows

if TYPE_CHECKING:
    import torch

    from recsys.pairwise.model import Compare, PairwiseModel

SEEDED = True
NEEDS_FEATURES = True
RANKS_COLD = True


class Settings(PairwiseSettings):
    """Section `rec_fit.vbpr` of params.yaml."""

    SECTION: ClassVar[str] = "rec_fit.vbpr"

    variant: Literal["paper", "ducho", "mmrec"]


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> Factors:
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
    if settings.variant == "mmrec":
        return learn(lambda: new_mmrec_model(n_users, features, settings, run), read_mmrec_factors, data, settings, run)
    return learn(
        lambda: new_paper_model(n_users, features, centre, scale, settings, run),
        read_paper_factors,
        data,
        settings,
        run,
    )


def project(learned: Mapping[str, np.ndarray], features: Rows) -> ItemFactors:
    """Return items that were not in the fit: γ_i = 0 and β_i = 0, beside their projected features.

    Args:
        learned: `centre` and `scale` (dim,), and `weights`. `paper`: 0 for γ, E, and last β', (dim, factors + 1).
            `ducho`: 0 for γ, and W, (dim, 2 factors), with `offset`, 0 and b, (2 factors,). `mmrec`: the same, b in
            `shift`.
        features: (n_items, dim).
    """
    weights, offset = learned["weights"], learned.get("offset", learned.get("shift"))
    values = np.empty((len(features), weights.shape[1]), dtype=np.float32)
    for part, block in features.blocks():
        values[part] = (block - learned["centre"]) * learned["scale"] @ weights
    if offset is None:
        return ItemFactors(values[:, :-1], values[:, -1])
    values = scale_rows(values + offset) if "offset" in learned else values + offset
    return ItemFactors(values, np.zeros(len(values), dtype=np.float32))


def new_paper_model(
    n_users: int, features: Rows, centre: np.ndarray, scale: np.ndarray, settings: Settings, run: Run
) -> "PairwiseModel":
    """Return a model of the paper that has learned nothing yet.

    users: γ_u, θ_u; items: γ_i and, last, β_i; projected: E f_i and, last, β' · f_i.
    """
    import torch

    from recsys.pairwise.adam import Adam, draw_initial
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


def read_paper_factors(model: "PairwiseModel") -> Factors:
    """Return what a model of the paper has learned, as arrays."""
    from recsys.pairwise.adam import to_array

    assert model.visual is not None
    items, seen = to_array(model.items.values), to_array(model.visual.project_all())
    weights = np.pad(to_array(model.visual.weights.values), ((0, 0), (items.shape[1] - 1, 0)))
    return Factors(
        to_array(model.users.values),
        np.hstack([items[:, :-1], seen[:, :-1]]),
        items[:, -1] + seen[:, -1],
        {"centre": model.visual.centre, "scale": model.visual.scale, "weights": weights},
    )


def new_ducho_model(n_users: int, features: Rows, settings: Settings, run: Run) -> "PairwiseModel":
    """Return a model of the fork that has learned nothing yet; initial values have the fork's distributions.

    users: γ_u and θ_u; items: γ_i; projected: p_i.
    """
    import torch

    width, random = settings.factors, np.random.default_rng(run.seed)
    gamma_user = draw_uniform(random, n_users, width, xavier(n_users, width))  # θ_u is not, an oversight of the fork
    theta = torch.from_numpy(random.standard_normal((n_users, width), dtype=np.float32))
    return new_linear_model(torch.hstack([gamma_user, theta]), random, features, settings, run, compare_ducho)


def new_mmrec_model(n_users: int, features: Rows, settings: Settings, run: Run) -> "PairwiseModel":
    """Return a model of MMRec that has learned nothing yet.

    users: γ_u and θ_u; items: γ_i; projected: W f_i + b.
    """
    width, random = 2 * settings.factors, np.random.default_rng(run.seed)
    users = draw_uniform(random, n_users, width, xavier(n_users, width))
    return new_linear_model(users, random, features, settings, run, compare_mmrec)


def new_linear_model(
    users: "torch.Tensor",
    random: np.random.Generator,
    features: Rows,
    settings: Settings,
    run: Run,
    compare: "Compare",
) -> "PairwiseModel":
    """Return a model whose features are projected as they are, by a linear layer that begins as torch's."""
    from recsys.pairwise.adam import Adam
    from recsys.pairwise.model import PairwiseModel
    from recsys.pairwise.visual import Visual

    n_items, dim = features.shape
    width, rate, device = settings.factors, settings.learning_rate, run.device
    items = draw_uniform(random, n_items, width, xavier(n_items, width))
    weights, offset = draw_uniform(random, dim, width, dim**-0.5), draw_uniform(random, 1, width, dim**-0.5)
    visual = Visual(
        features,
        Adam(weights.to(device), rate),
        Adam(offset.to(device), rate),
        centre=np.zeros(dim, np.float32),
        scale=np.ones(dim, np.float32),
    )
    return PairwiseModel(Adam(users.to(device), rate), Adam(items.to(device), rate), compare, visual)


def draw_uniform(random: np.random.Generator, rows: int, columns: int, bound: float) -> "torch.Tensor":
    """Draw uniform values between −bound and bound: (rows, columns) float32."""
    import torch

    return torch.from_numpy(random.uniform(-bound, bound, (rows, columns)).astype(np.float32))


def xavier(rows: int, columns: int) -> float:
    """Return the bound of Glorot and Bengio (2010)."""
    return (6 / (rows + columns)) ** 0.5


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


def compare_mmrec(
    user: "torch.Tensor",
    bought: "torch.Tensor",
    other: "torch.Tensor",
    bought_seen: "torch.Tensor | None",
    other_seen: "torch.Tensor | None",
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return how much higher each bought item scores, and the norms of the batch's vectors / size: (size,) each."""
    import torch

    assert bought_seen is not None
    assert other_seen is not None
    sides = torch.cat([bought, bought_seen], 1), torch.cat([other, other_seen], 1)
    norms = torch.stack([part.norm() for part in (user, *sides)]).sum() / len(user)
    return (user * (sides[0] - sides[1])).sum(1), norms.expand(len(user))


def read_ducho_factors(model: "PairwiseModel") -> Factors:
    """Return what a model of the fork has learned, as arrays."""
    from torch.nn.functional import normalize

    assert model.visual is not None
    return read_linear_factors(model, normalize(model.visual.project_all()), "offset")


def read_mmrec_factors(model: "PairwiseModel") -> Factors:
    """Return what a model of MMRec has learned, as arrays."""
    assert model.visual is not None
    return read_linear_factors(model, model.visual.project_all(), "shift")


def read_linear_factors(model: "PairwiseModel", seen: "torch.Tensor", offset: str) -> Factors:
    """Return what a model has learned, as arrays.

    Args:
        model: with a linear layer.
        seen: what the items' features become, (n_items, factors).
        offset: the name of b among what is learned.
    """
    from recsys.pairwise.adam import to_array

    assert model.visual is not None
    assert model.visual.offset is not None
    items = np.hstack([to_array(model.items.values), to_array(seen)])
    without = model.items.values.shape[1]  # columns of γ
    learned = {
        "centre": model.visual.centre,
        "scale": model.visual.scale,
        "weights": np.pad(to_array(model.visual.weights.values), ((0, 0), (without, 0))),
        offset: np.pad(to_array(model.visual.offset.values)[0], (without, 0)),
    }
    return Factors(to_array(model.users.values), items, np.zeros(len(items), np.float32), learned)
