"""VBPR (He and McAuley 2016), learned from pairs.

`variant: paper`: score(u, i) = β_i + γ_u · γ_i + θ_u · (E f_i) + β' · f_i. As in the paper's experiments γ and θ share the
`factors` half and half, so that a model with features has no more of them than BPR, and E and β' are not regularised.
f_i are the item's features, each dimension standardised over the items and divided by √dim: neither an extractor's scale
nor its number of dimensions then changes what a learning rate means.

`variant: ducho`: that of the fork the study used (Ducho meets Elliot, 70bc0dc; `external/models/vbpr`): score(u, i) =
γ_u · γ_i + θ_u · p_i / |p_i| with p_i = W f_i + b; no biases, γ and θ of `factors` each, features as they are, Adam over all
rows in every step, `regularisation` (its `l_w`) halved and on the normalised projections too (where it does nothing).
"""

import numpy as np
import torch

from features.files import Rows
from pipeline.core.errors import UserError, first_five
from recsys.pairwise import Adam, Factors, Pairwise, Visual, array, initial, learned
from recsys.purchases.dataset import Dataset
from recsys.ranking.options import Options

SEEDED = True
NEEDS_FEATURES = True

Parts = torch.Tensor


def fit(data: Dataset, options: Options, seed: int, features: Rows | None = None) -> Factors:
    """Learns, and projects the features of every item.

    Raises:
        UserError: there is another number of features than of items, or a feature is not finite.
    """
    assert features is not None
    centre, scale = standards(features, data.item_ids)
    if options.variant == "ducho":
        return learned(lambda: ducho(data.train.shape[0], features, options, seed), fitted_ducho, data, options, seed)
    n_users = data.train.shape[0]
    return learned(lambda: paper(n_users, features, centre, scale, options, seed), fitted_paper, data, options, seed)


def paper(n_users: int, features: Rows, centre: np.ndarray, scale: np.ndarray, options: Options, seed: int) -> Pairwise:
    """users: γ_u, θ_u; items: γ_i and, last, β_i; projected: E f_i and, last, β' · f_i."""
    n_items, dim = features.shape
    half, rate, device = options.factors // 2, options.learning_rate, options.device
    hidden = options.factors - half
    users = torch.hstack([initial(n_users, hidden, seed, 0, device), initial(n_users, half, seed, 2, device)])
    items = torch.nn.functional.pad(initial(n_items, hidden, seed, 1, device), (0, 1))
    weights = torch.nn.functional.pad(initial(dim, half, seed, 3, device), (0, 1))
    visual = Visual(features, Adam(weights, rate), centre=centre, scale=scale)
    return Pairwise(Adam(users, rate, sparse=True), Adam(items, rate, sparse=True), compare_paper, visual)


def compare_paper(
    user: Parts, better: Parts, worse: Parts, better_seen: Parts | None, worse_seen: Parts | None
) -> tuple[torch.Tensor, torch.Tensor]:
    assert better_seen is not None
    assert worse_seen is not None
    apart, seen = better - worse, better_seen - worse_seen
    sides = torch.cat([apart[:, :-1], seen[:, :-1]], 1)
    higher = (user * sides).sum(1) + apart[:, -1] + seen[:, -1]
    return higher, user.square().sum(1) + better.square().sum(1) + worse.square().sum(1)


def fitted_paper(model: Pairwise) -> Factors:
    assert model.visual is not None
    items, seen = array(model.items.values), array(model.visual.every())
    return Factors(array(model.users.values), np.hstack([items[:, :-1], seen[:, :-1]]), items[:, -1] + seen[:, -1])


def ducho(n_users: int, features: Rows, options: Options, seed: int) -> Pairwise:
    """users: γ_u and θ_u; items: γ_i; projected: p_i. Initial values are distributed as the fork's."""
    n_items, dim = features.shape
    width, rate, device = options.factors, options.learning_rate, options.device
    random = np.random.default_rng(seed)

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
    return Pairwise(Adam(users, rate), Adam(items.to(device), rate), compare_ducho, visual)


def compare_ducho(
    user: Parts, better: Parts, worse: Parts, better_seen: Parts | None, worse_seen: Parts | None
) -> tuple[torch.Tensor, torch.Tensor]:
    assert better_seen is not None
    assert worse_seen is not None
    seen = [torch.nn.functional.normalize(part) for part in (better_seen, worse_seen)]
    higher = (user * torch.cat([better - worse, seen[0] - seen[1]], 1)).sum(1)
    parts = (user, better, worse, *seen)
    return higher, torch.stack([part.square().sum(1) for part in parts]).sum(0) / 2


def fitted_ducho(model: Pairwise) -> Factors:
    assert model.visual is not None
    seen = torch.nn.functional.normalize(model.visual.every())
    items = np.hstack([array(model.items.values), array(seen)])
    return Factors(array(model.users.values), items, np.zeros(len(items), np.float32))


def standards(features: Rows, item_ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale that give each dimension mean 0 and variance 1 over the items, divided by √dim: (dim,) float32 each.

    A dimension that is constant gets scale 0, and does not count among the √dim. Features are read a block at a time.

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
    for place, block in features.blocks():
        broken += [item_ids[place.start + row] for row in np.flatnonzero(~np.isfinite(block).all(1))]
        block -= first
        total += block.sum(0, dtype=np.float64)
        squares += np.einsum("ij,ij->j", block, block, dtype=np.float64)
    if broken:
        raise UserError(
            f"{features.source}: {len(broken):,} of {n:,} items have features that are not finite, first {first_five(broken)}; "
            "extract them again"
        )
    mean = total / max(1, n)
    spread = np.sqrt(np.maximum(squares / max(1, n) - mean**2, 0))
    informative = spread > 1e-6
    scale = np.divide(1, spread, out=np.zeros(dim), where=informative) / np.sqrt(max(1, informative.sum()))
    return (first + mean).astype(np.float32), scale.astype(np.float32)
