"""BM3 (Zhou et al. 2023): LightGCN that learns from purchases alone, without items that were not bought.

score(u, i) = P e_u · P e_i. e as in lightgcn, and the learned vector of an item is added to its own once more; P is a
linear layer. The loss is 1 − cosine of P e_u and e_i of the item bought, and of P e_i and e_u; and, `content` times, of
P m_i and e_i, and of P m_i and m_i, m_i = W f_i + b the projected features. The second of each pair is held fixed, and
the share `dropout` of its values is set to 0, drawn anew in every step.

`variant: paper` regularises the mean squared length of e_u and e_i of a batch, and its `content` is 1; `mmrec` has what
MMRec has in its place: the Frobenius norms of e of all users and of all items, not squared, summed and divided by the
number of items, and its `content` is 2.

`features: fixed` leaves the features as they are, as in the paper; `trained` makes them parameters, as MMRec does.

An item whose features of a modality are all zeros has no text (or picture), and no part in the loss of these projected
features.

No list reads the features: they only move the vectors of the items bought. Features of other items cost BM3 nothing
(docs/recommenders.md), so that it cannot tell whether captions help those that are sold.

A new arrival is P m, its own features projected, since the loss brings P m_i and e_i together; the loss knows
directions alone, so it gets the mean length of the P e_i of the fit. The directions of two modalities are added up
first, so that both weigh the same. With trained features it is projected from its raw ones. The rows of the items of
the fit stay as they are.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from features.files import Rows
from recsys.pairwise.settings import PairwiseSettings
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors, ItemFactors
from recsys.ranking.settings import Count, Run
from recsys.recommenders._standards import find_standards, scale_rows

if TYPE_CHECKING:
    import torch

    from recsys.graphs.modalities import Modality
    from recsys.graphs.model import GraphModel, Leaves
    from recsys.graphs.purchases import Purchases
    from recsys.pairwise.learning import Batch

    # The name of what is dropped of, and rows of it; returns what multiplies them, (len(rows), width).
    DrawMask = Callable[[str, torch.Tensor], torch.Tensor]

SEEDED = True
NEEDS_FEATURES = True
RANKS_COLD = True
PREDICTOR, MASKS = 100, 102  # streams: of the predictor's first values, and of the masks


class Settings(PairwiseSettings):
    """Section `rec_fit.bm3` of params.yaml."""

    SECTION: ClassVar[str] = "rec_fit.bm3"

    variant: Literal["paper", "mmrec"]
    features: Literal["fixed", "trained"]
    layers: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    content: Annotated[float, Field(ge=0)]


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> Factors:
    """Learn.

    Raises:
        UserError: there is another number of features than of items, or a feature is not finite; or as
            `recsys.pairwise.learning.learn`.
    """
    from recsys.graphs.modalities import divide_features, read_features
    from recsys.pairwise.learning import learn

    assert features is not None
    find_standards(features, data.item_ids)  # refuses what is not finite
    modalities = {name: read_features(part, run.device) for name, part in divide_features(features).items()}
    return learn(
        lambda: new_model(data, modalities, settings, run),
        partial(read_factors, settings=settings),
        data,
        settings,
        run,
    )


def new_model(
    data: Dataset,
    modalities: "Mapping[str, Modality]",
    settings: Settings,
    run: Run,
    draw_mask: "DrawMask | None" = None,
) -> "GraphModel":
    """Return a model that has learned nothing yet: `users`, `items`, the layer `predictor`, and the projections.

    Args:
        data: the purchases.
        modalities: by name.
        settings: of the recommender.
        run: seed and device.
        draw_mask: in the place of the draws of the run's seed.
    """
    from recsys.graphs.layers import new_layer
    from recsys.graphs.modalities import new_projections
    from recsys.graphs.model import GraphModel, new_embeddings
    from recsys.graphs.purchases import Purchases

    rate, width, seed, device = settings.learning_rate, settings.factors, run.seed, run.device
    tables = new_embeddings(data.train.shape, width, rate, seed, device)
    tables |= new_layer("predictor", width, width, rate, seed, PREDICTOR, device)
    tables |= new_projections(modalities, width, rate, settings.features == "trained", seed, device)
    names = ["users", "items", *modalities]

    def draw_own(name: str, rows: "torch.Tensor") -> "torch.Tensor":
        step = int(tables["users"].steps[0])  # of the state that is stored: a fit that was killed draws the same
        return drop_values((len(rows), width), settings.dropout, (seed, step, names.index(name), MASKS), device)

    loss = partial(compute_loss, modalities=modalities, draw_mask=draw_mask or draw_own, settings=settings)
    return GraphModel(tables, Purchases(data.train, device), loss)


def drop_values(shape: tuple[int, int], share: float, key: tuple[int, ...], device: str) -> "torch.Tensor":
    """Draw 0 with the chance `share`, else 1 / (1 − share): a function of the key and the kind of device."""
    import torch

    random = torch.Generator(device)
    random.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1)))
    return (torch.rand(shape, generator=random, device=device) >= share) / (1 - share)


def compute_vectors(tables: "Leaves", graph: "Purchases", layers: int) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return e_u of all users, and e_i of all items."""
    users, items = graph.average_layers(tables["users"], tables["items"], layers)
    return users, items + tables["items"]


def compute_loss(
    leaves: "Leaves",
    graph: "Purchases",
    batch: "Batch",
    regularisation: float,
    modalities: "Mapping[str, Modality]",
    draw_mask: "DrawMask",
    settings: Settings,
) -> "torch.Tensor":
    """Return the loss of a batch."""
    import torch

    from recsys.graphs.layers import apply_layer
    from recsys.graphs.modalities import project_rows

    of_users, of_items = compute_vectors(leaves, graph, settings.layers)
    (user_rows, user), (item_rows, item) = (torch.unique(part, return_inverse=True) for part in batch[:2])
    users, items = of_users.index_select(0, user_rows), of_items.index_select(0, item_rows)
    target_users = users.detach() * draw_mask("users", user_rows)
    target_items = items.detach() * draw_mask("items", item_rows)
    predict = partial(apply_layer, leaves, "predictor")
    apart = [
        1 - compare_directions(predict(users), target_items, user, item).mean(),
        1 - compare_directions(predict(items), target_users, item, user).mean(),
    ]
    for name, modality in modalities.items():
        seen = project_rows(leaves, name, modality, item_rows)
        target_seen, predicted = seen.detach() * draw_mask(name, item_rows), predict(seen)
        known = modality.known[item_rows][item]
        for target in (target_items, target_seen):
            far = (1 - compare_directions(predicted, target, item, item)) * known
            apart.append(settings.content * far.sum() / known.sum().clamp(min=1))
    if settings.variant == "paper":
        length = users.square().sum(1)[user].mean() + items.square().sum(1)[item].mean()
    else:
        length = (of_users.norm() + of_items.norm()) / len(of_items)
    return torch.stack(apart).sum() + regularisation * length


def compare_directions(
    first: "torch.Tensor", second: "torch.Tensor", of_first: "torch.Tensor", of_second: "torch.Tensor"
) -> "torch.Tensor":
    """Return the cosine of pairs of rows: (size,).

    Args:
        first: (n, width).
        second: (m, width).
        of_first: the row of `first` of each pair, (size,).
        of_second: the row of `second`, (size,).
    """
    from torch.nn.functional import normalize

    one, other = normalize(first, eps=1e-8), normalize(second, eps=1e-8)
    return (one.index_select(0, of_first) * other.index_select(0, of_second)).sum(1)


def read_factors(model: "GraphModel", settings: Settings) -> Factors:
    """Return P e_u and P e_i as arrays, and what `project` needs."""
    from recsys.graphs.layers import apply_layer
    from recsys.pairwise.adam import to_array

    tables = model.read_tables()
    users, items = (
        to_array(apply_layer(tables, "predictor", part))
        for part in compute_vectors(tables, model.whole, settings.layers)
    )
    learned = {
        name: to_array(values)
        for name, values in tables.items()
        if name not in ("users", "items") and not name.endswith(".features")
    }
    learned["length"] = np.linalg.norm(items, axis=1).mean(keepdims=True)
    return Factors(users, items, np.zeros(len(items), np.float32), learned)


def project(learned: Mapping[str, np.ndarray], features: Rows) -> ItemFactors:
    """Return items that were not in the fit: P m of their own features, all of one length.

    Args:
        learned: the modalities and `predictor`, `NAME.weights` (dim, factors) and `NAME.offset` (1, factors) of each,
            and `length`.
        features: (n, dim); a row of zeros has the vector 0.
    """
    from recsys.graphs.modalities import divide_arrivals

    parts = [predict_directions(learned, name, part) for name, part in divide_arrivals(learned, features).items()]
    vectors = parts[0] if len(parts) == 1 else scale_rows(np.sum(parts, axis=0))
    return ItemFactors(vectors * learned["length"], np.zeros(len(vectors), dtype=np.float32))


def predict_directions(learned: Mapping[str, np.ndarray], name: str, features: Rows) -> np.ndarray:
    """Return P m of one modality of some items, each of length 1, or 0 for a row of zeros: (n, factors) float32.

    Args:
        learned: the modality and `predictor`; see `project`.
        name: of the modality.
        features: its own, (n, dim).
    """
    vectors = np.zeros((len(features), learned["predictor.weights"].shape[1]), dtype=np.float32)
    for part, block in features.blocks():
        seen = block @ learned[f"{name}.weights"] + learned[f"{name}.offset"]
        seen = seen @ learned["predictor.weights"] + learned["predictor.offset"]
        vectors[part] = scale_rows(seen.astype(np.float32)) * block.any(1, keepdims=True)
    return vectors
