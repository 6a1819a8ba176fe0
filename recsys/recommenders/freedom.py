"""FREEDOM (Zhou and Shen 2023): LightGCN on a part of the purchases, and a frozen graph of items that are alike.

score(u, i) = e_u · (e_i + h_i). e as in lightgcn; h_i is the mean of the learned vectors of the `neighbours` items that
are most similar to i by the cosine of their raw features, i itself among them. That graph is made once and never
learned. Of pictures and words there is a graph each: h_i is `image_weight` times the mean by pictures, and the rest
that by words. Each epoch learns on the share 1 − `dropped` of the purchases, drawn with a chance of 1 / √(d_u d_i);
lists are made with all of them. The loss is BPR's and, for each modality, `regularisation` (the paper's λ) times that
of e_u · (W f_i + b), W f_i + b the projected features.

`features: fixed` leaves the features as they are, as in the paper; `trained` makes them parameters, as MMRec does. The
graph is of the raw features in both.

An item whose features of a modality are all zeros has no text (or picture): it has no edges by it, is nobody's
neighbour, and has no part in the loss of the projected features; its h_i is by the other alone, and 0 without either.

A new arrival is its h by the `neighbours` items of the fit that are most similar to it; its e_i is 0, since nobody has
bought it. The rows of the items of the fit stay as they are.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from features.files import Rows, all_rows
from recsys.pairwise.settings import PairwiseSettings
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors, ItemFactors
from recsys.ranking.settings import Count, Run
from recsys.recommenders._standards import find_standards

if TYPE_CHECKING:
    import torch

    from recsys.graphs.modalities import Modality
    from recsys.graphs.model import GraphModel, Leaves
    from recsys.graphs.products import Sparse
    from recsys.graphs.purchases import Purchases
    from recsys.pairwise.learning import Batch

SEEDED = True
NEEDS_FEATURES = True
RANKS_COLD = True


class Settings(PairwiseSettings):
    """Section `rec_fit.freedom` of params.yaml."""

    SECTION: ClassVar[str] = "rec_fit.freedom"

    features: Literal["fixed", "trained"]
    layers: Count
    neighbours: Count
    image_weight: Annotated[float, Field(gt=0, lt=1)]
    dropped: Annotated[float, Field(ge=0, lt=1)]


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> Factors:
    """Find the graph of items, and learn.

    Raises:
        UserError: there is another number of features than of items, or a feature is not finite; or as
            `recsys.pairwise.learning.learn`.
    """
    from recsys.graphs.modalities import read_modalities
    from recsys.pairwise.learning import learn

    assert features is not None
    find_standards(features, data.item_ids)  # refuses what is not finite
    modalities = read_modalities(features, settings.neighbours, run.device, run.checkpoints)
    alike = mix_graphs(modalities, weigh_modalities(modalities, settings.image_weight), run.device)
    return learn(
        lambda: new_model(data, modalities, alike, settings, run),
        partial(read_factors, modalities=modalities, alike=alike, settings=settings),
        data,
        settings,
        run,
    )


def weigh_modalities(names: Iterable[str], image_weight: float) -> dict[str, float]:
    """Return the weight of each modality's graph: `image_weight` that of pictures, the rest that of words, 1 of one.

    >>> weigh_modalities(["image", "text"], 0.25), weigh_modalities(["content"], 0.25)
    ({'image': 0.25, 'text': 0.75}, {'content': 1.0})
    """
    return {name: {"image": image_weight, "text": 1 - image_weight}.get(name, 1.0) for name in names}


def mix_graphs(modalities: "Mapping[str, Modality]", weights: Mapping[str, float], device: str) -> "Sparse":
    """Return the weighted mean of the modalities' graphs, (n_items, n_items)."""
    from recsys.graphs.items import average_neighbours, mix_modalities
    from recsys.graphs.products import Sparse

    n_items = len(next(iter(modalities.values())).features)
    graphs = [average_neighbours(modality.neighbours, n_items) for modality in modalities.values()]
    return Sparse(mix_modalities(graphs, [weights[name] for name in modalities]), device)


def new_model(
    data: Dataset, modalities: "Mapping[str, Modality]", alike: "Sparse", settings: Settings, run: Run
) -> "GraphModel":
    """Return a model that has learned nothing yet: tables `users` and `items`, and those of the projections."""
    from recsys.graphs.modalities import new_projections
    from recsys.graphs.model import GraphModel, new_embeddings
    from recsys.graphs.purchases import Purchases, draw_edges

    rate, width, seed, device = settings.learning_rate, settings.factors, run.seed, run.device
    tables = new_embeddings(data.train.shape, width, rate, seed, device)
    tables |= new_projections(modalities, width, rate, settings.features == "trained", seed, device)

    def draw_part(seed: int, epoch: int) -> Purchases:
        return Purchases(draw_edges(data.train, 1 - settings.dropped, seed, epoch), device)

    loss = partial(compute_loss, modalities=modalities, alike=alike, layers=settings.layers)
    return GraphModel(tables, Purchases(data.train, device), loss, draw_part if settings.dropped else None)


def compute_vectors(
    tables: "Leaves", graph: "Purchases", alike: "Sparse", layers: int
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the vectors of users, and e_i + h_i of items."""
    users, items = graph.average_layers(tables["users"], tables["items"], layers)
    return users, items + alike.multiply(tables["items"])


def compute_loss(
    leaves: "Leaves",
    graph: "Purchases",
    batch: "Batch",
    regularisation: float,
    modalities: "Mapping[str, Modality]",
    alike: "Sparse",
    layers: int,
) -> "torch.Tensor":
    """Return the loss of a batch."""
    import torch

    from recsys.graphs.modalities import project_rows
    from recsys.graphs.model import compare_pairs

    users, bought, other = batch
    of_users, of_items = compute_vectors(leaves, graph, alike, layers)
    user = of_users.index_select(0, users)
    loss = compare_pairs(user, of_items.index_select(0, bought), of_items.index_select(0, other)).mean()
    rows, place = torch.unique(torch.cat([bought, other]), return_inverse=True)  # an item comes more than once
    for name, modality in modalities.items():
        sides = project_rows(leaves, name, modality, rows).index_select(0, place).chunk(2)
        known = modality.known[bought] & modality.known[other]
        apart = compare_pairs(user, *sides) * known
        loss = loss + regularisation * apart.sum() / known.sum().clamp(min=1)
    return loss


def read_factors(
    model: "GraphModel", modalities: "Mapping[str, Modality]", alike: "Sparse", settings: Settings
) -> Factors:
    """Return the vectors by all purchases as arrays, and what `project` needs."""
    from recsys.pairwise.adam import to_array

    tables = model.read_tables()
    users, items = compute_vectors(tables, model.whole, alike, settings.layers)
    learned = {f"{name}.features": to_array(modality.features) for name, modality in modalities.items()}
    learned |= {"vectors": to_array(tables["items"]), "neighbours": np.array([settings.neighbours], dtype=np.int32)}
    if len(modalities) > 1:
        learned["image_weight"] = np.array([settings.image_weight])
    return Factors(to_array(users), to_array(items), np.zeros(len(items), np.float32), learned)


def project(learned: Mapping[str, np.ndarray], features: Rows) -> ItemFactors:
    """Return items that were not in the fit: the mean of the learned vectors of the items most similar to each.

    Args:
        learned: `vectors` (n_items, factors) of the items of the fit, `NAME.features` (n_items, dim) of each modality,
            `neighbours`, and of two modalities `image_weight`.
        features: (n, dim).
    """
    from recsys.graphs.items import average_neighbours, mix_modalities
    from recsys.graphs.modalities import divide_arrivals
    from recsys.graphs.neighbours import find_nearest_once

    k, parts = int(learned["neighbours"][0]), divide_arrivals(learned, features)
    graphs = [
        average_neighbours(find_nearest_once(part, all_rows(learned[f"{name}.features"]), k), len(learned["vectors"]))
        for name, part in parts.items()
    ]
    weights = weigh_modalities(parts, float(learned.get("image_weight", [1.0])[0]))
    vectors = mix_modalities(graphs, list(weights.values())) @ learned["vectors"]
    return ItemFactors(vectors.astype(np.float32), np.zeros(len(vectors), dtype=np.float32))
