"""LATTICE (Zhang et al. 2021): a graph of items that are alike, learned together with the vectors that it moves.

score(u, i) = e_u · (e_i + h_i / |h_i|), h the product of the graph of items with the learned vectors. That graph is
`frozen` times the one of the raw features, and the rest the learned one. In both an item has edges to the `neighbours`
items that are most similar by cosine, itself among them, weighted by it: of the raw features, or of W f + b. Each graph
is D^-½ S D^-½; modalities are summed by weights that are learned (a softmax), the learned ones before they are
normalised. The learned graph is built at the beginning of every epoch, with gradients for the edges that are kept, and
is constant until the next, as the authors' code does it: W, b and the weights get gradients in the first step alone.
`projections: still` leaves them as they are in the other steps, as torch does since version 2; `momentum` moves them on
by Adam's momentum, as earlier ones did, for which MMRec and the authors' code were written.

Memory grows with items times `neighbours`: MMRec's matrices of all pairs are 44 GB each at 105,000 items.

`variant: paper`: e as in lightgcn, and `regularisation` weighs the mean squared length of the learned vectors of a
batch. `variant: mmrec`: e is the mean of 0 … `layers` products with D⁻¹ (A + 1), and half the squared length of the
vectors that are scored is divided by `batch_size`, in the smaller last batch, too. The loss is BPR's. The learning rate
is `learning_rate` times `decay` every 50 epochs.

`features: fixed` leaves the features as they are, as in the paper; `trained` makes them parameters, as MMRec does.

An item whose features of a modality are all zeros lacks it: it has no edges by it and is nobody's neighbour; without
any its vector is e_i.

A new arrival has e_i = 0, since nobody has bought it, and edges to the items of the fit that are most similar to it, by
its raw features and by W f + b of them, with trained features, too. The rows of the items of the fit stay as they are.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from features.files import Rows, all_rows
from recsys.pairwise.settings import PairwiseSettings
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors, ItemFactors
from recsys.ranking.settings import Count, Run
from recsys.recommenders._standards import find_standards, scale_rows

if TYPE_CHECKING:
    import torch

    from recsys.graphs.learned import Edges, EpochEdges
    from recsys.graphs.modalities import Modality
    from recsys.graphs.model import GraphModel, Leaves
    from recsys.graphs.purchases import Purchases
    from recsys.pairwise.learning import Batch

SEEDED = True
NEEDS_FEATURES = True
RANKS_COLD = True


class Settings(PairwiseSettings):
    """Section `rec_fit.lattice` of params.yaml."""

    SECTION: ClassVar[str] = "rec_fit.lattice"

    variant: Literal["paper", "mmrec"]
    features: Literal["fixed", "trained"]
    projections: Literal["still", "momentum"]
    layers: Count
    neighbours: Count
    frozen: Annotated[float, Field(ge=0, le=1)]
    decay: Annotated[float, Field(gt=0, le=1)]


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> Factors:
    """Find the graph of items by raw features, and learn.

    Raises:
        UserError: there is another number of features than of items, or a feature is not finite; or as
            `recsys.pairwise.learning.learn`.
    """
    from recsys.graphs.modalities import read_modalities
    from recsys.pairwise.learning import learn

    assert features is not None
    find_standards(features, data.item_ids)  # refuses what is not finite
    modalities = read_modalities(features, settings.neighbours, run.device, run.checkpoints)
    raw = build_raw(modalities, run.device)
    return learn(
        lambda: new_model(data, modalities, raw, settings, run),
        partial(read_factors, modalities=modalities, raw=raw, settings=settings),
        data,
        settings,
        run,
    )


def build_raw(modalities: "Mapping[str, Modality]", device: str) -> "dict[str, Edges]":
    """Return the normalised graph of the raw features of each modality."""
    from recsys.graphs.learned import normalise_edges, read_edges

    return {name: normalise_edges(read_edges(modality.neighbours, device)) for name, modality in modalities.items()}


def new_model(
    data: Dataset, modalities: "Mapping[str, Modality]", raw: "Mapping[str, Edges]", settings: Settings, run: Run
) -> "GraphModel":
    """Return a model that has learned nothing yet: `users`, `items`, `mix` (1, modalities), and the projections."""
    import torch

    from recsys.graphs.learned import EpochEdges
    from recsys.graphs.modalities import new_projections
    from recsys.graphs.model import GraphModel, new_embeddings
    from recsys.graphs.purchases import Averages, Purchases
    from recsys.pairwise.adam import Adam

    rate, width, seed, device = settings.learning_rate, settings.factors, run.seed, run.device
    tables = new_embeddings(data.train.shape, width, rate, seed, device)
    tables["mix"] = Adam(torch.full((1, len(modalities)), 1 / len(modalities), device=device), rate)
    tables |= new_projections(modalities, width, rate, settings.features == "trained", seed, device)
    n_edges = sum(2 * edges.columns.shape[1] for edges in raw.values())
    of_epoch = EpochEdges((data.train.shape[1], n_edges), device)
    purchases = Purchases(data.train, device) if settings.variant == "paper" else Averages(data.train, device)
    loss = partial(compute_loss, modalities=modalities, raw=raw, of_epoch=of_epoch, settings=settings)
    return GraphModel(
        tables, purchases, loss, decay=settings.decay, learned=of_epoch, momentum=settings.projections == "momentum"
    )


def build_edges(
    tables: "Leaves", modalities: "Mapping[str, Modality]", raw: "Mapping[str, Edges]", settings: Settings
) -> "Edges":
    """Return the graph of items, with gradients."""
    from recsys.graphs.learned import Edges, join_edges, normalise_edges

    learned, mix = join_edges(learn_modalities(tables, modalities, settings)), tables["mix"][0].softmax(0)
    normal = normalise_edges(learned)
    own = [Edges(raw[name].columns, settings.frozen * mix[m] * raw[name].values) for m, name in enumerate(modalities)]
    return join_edges([Edges(normal.columns, (1 - settings.frozen) * normal.values), *own])


def learn_modalities(tables: "Leaves", modalities: "Mapping[str, Modality]", settings: Settings) -> "list[Edges]":
    """Return the similarities of the projected features of each modality, times its weight, not normalised."""
    from recsys.graphs.learned import Edges, learn_edges
    from recsys.graphs.modalities import project_rows

    mix, parts = tables["mix"][0].softmax(0), []
    for m, (name, modality) in enumerate(modalities.items()):
        edges = learn_edges(project_rows(tables, name, modality), modality.known, settings.neighbours)
        parts.append(Edges(edges.columns, mix[m] * edges.values))
    return parts


def compute_vectors(
    tables: "Leaves", graph: "Purchases", edges: "Edges", layers: int, rows: "torch.Tensor | None" = None
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the vectors of all users, and of some items; None: of all items."""
    from torch.nn.functional import normalize

    from recsys.graphs.learned import Edges, multiply_edges

    users, items = graph.average_layers(tables["users"], tables["items"], layers)
    if rows is not None:
        items, edges = items.index_select(0, rows), Edges(*(part.index_select(0, rows) for part in edges))
    return users, items + normalize(multiply_edges(edges, tables["items"]))


def compute_loss(
    leaves: "Leaves",
    graph: "Purchases",
    batch: "Batch",
    regularisation: float,
    modalities: "Mapping[str, Modality]",
    raw: "Mapping[str, Edges]",
    of_epoch: "EpochEdges",
    settings: Settings,
) -> "torch.Tensor":
    """Return the loss of a batch; the first of an epoch builds the epoch's graph of items."""
    import torch

    from recsys.graphs.learned import Edges
    from recsys.graphs.model import compare_pairs

    if of_epoch.is_built:
        edges = Edges(of_epoch.columns, of_epoch.values)
    else:
        edges = build_edges(leaves, modalities, raw, settings)
        of_epoch.keep(edges)
    users, bought, other = batch
    item_rows, item = torch.unique(torch.cat([bought, other]), return_inverse=True)
    of_users, of_items = compute_vectors(leaves, graph, edges, settings.layers, item_rows)
    rows = of_users.index_select(0, users), *(of_items.index_select(0, part) for part in item.chunk(2))
    if settings.variant == "paper":
        learned = leaves["users"].index_select(0, users), *(leaves["items"].index_select(0, i) for i in batch[1:])
        length = torch.stack([part.square().sum(1) for part in learned]).sum(0).mean()
    else:
        length = torch.stack([part.square().sum() for part in rows]).sum() / (2 * settings.batch_size)
    return compare_pairs(*rows).mean() + regularisation * length


def read_factors(
    model: "GraphModel", modalities: "Mapping[str, Modality]", raw: "Mapping[str, Edges]", settings: Settings
) -> Factors:
    """Return the vectors by a graph of the present projections as arrays, and what `project` needs."""
    from recsys.graphs.items import sum_similarities
    from recsys.graphs.learned import join_edges
    from recsys.graphs.modalities import project_rows
    from recsys.pairwise.adam import to_array

    tables = model.read_tables()
    users, items = compute_vectors(tables, model.whole, build_edges(tables, modalities, raw, settings), settings.layers)
    mix = to_array(tables["mix"][0].softmax(0))
    learned = {"vectors": to_array(tables["items"]), "frozen": np.array([settings.frozen], dtype=np.float32)}
    learned["neighbours"] = np.array([settings.neighbours], dtype=np.int32)
    learned["degrees"] = to_array(join_edges(learn_modalities(tables, modalities, settings)).values.sum(1))
    for m, (name, modality) in enumerate(modalities.items()):
        seen = project_rows(tables, name, modality) * modality.known[:, None]
        learned |= {f"{name}.features": to_array(modality.features), f"{name}.seen": to_array(seen)}
        learned |= {f"{name}.degrees": sum_similarities(modality.neighbours), f"{name}.share": mix[[m]]}
        learned |= {f"{name}.{part}": to_array(tables[f"{name}.{part}"]) for part in ("weights", "offset")}
    return Factors(to_array(users), to_array(items), np.zeros(len(items), np.float32), learned)


def project(learned: Mapping[str, np.ndarray], features: Rows) -> ItemFactors:
    """Return items that were not in the fit: h / |h|, from the items of the fit that are most similar to each.

    Args:
        learned: of the items of the fit `vectors` (n_items, factors) and `degrees` (n_items,) of the learned graph;
            of each modality `NAME.features` (n_items, dim), `.seen` (n_items, factors), `.degrees` (n_items,), `.share`
            (1,), `.weights` (dim, factors) and `.offset` (1, factors); `neighbours` and `frozen`.
        features: (n, dim).
    """
    from recsys.graphs.items import weigh_neighbours
    from recsys.graphs.modalities import divide_arrivals
    from recsys.graphs.neighbours import Neighbours, find_nearest, find_nearest_once

    k, frozen = int(learned["neighbours"][0]), float(learned["frozen"][0])
    by_seen, by_raw = [], []
    for name, part in divide_arrivals(learned, features).items():
        share = float(learned[f"{name}.share"][0])
        near = find_nearest(project_features(learned, name, part), all_rows(learned[f"{name}.seen"]), k)
        by_seen.append((near.items, near.similarities * np.float32(share)))
        near = find_nearest_once(part, all_rows(learned[f"{name}.features"]), k)
        by_raw.append(frozen * share * weigh_neighbours(near, learned[f"{name}.degrees"]))
    joined = Neighbours(*(np.hstack(parts) for parts in zip(*by_seen, strict=True)))
    graph = (1 - frozen) * weigh_neighbours(joined, learned["degrees"])
    for own in by_raw:
        graph = graph + own
    vectors = scale_rows((graph @ learned["vectors"]).astype(np.float32))
    return ItemFactors(vectors, np.zeros(len(vectors), dtype=np.float32))


def project_features(learned: Mapping[str, np.ndarray], name: str, features: Rows) -> Rows:
    """Return W f + b of one modality of some items, 0 for a row of zeros: (n, factors).

    Args:
        learned: `NAME.weights` (dim, factors) and `NAME.offset` (1, factors).
        name: of the modality.
        features: its own, (n, dim).
    """
    seen = np.zeros((len(features), learned[f"{name}.weights"].shape[1]), dtype=np.float32)
    for part, block in features.blocks():
        seen[part] = (block @ learned[f"{name}.weights"] + learned[f"{name}.offset"]) * block.any(1, keepdims=True)
    return all_rows(seen)
