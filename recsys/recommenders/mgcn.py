"""MGCN (Yu et al. 2023): LightGCN, and what each modality says of users and items, purified by the learned vectors.

score(u, i) = (e_u + s_u) · (e_i + s_i). e as in lightgcn. Of each modality m the item vectors x_i are products of the
frozen graph of its `neighbours` most similar items, weighted by cosine, with v_j ⊙ σ(G_m (W_m f_j + b)), v the learned
vectors and f the features; x_u is the same product with the graph of purchases as in e. What the modalities have in
common is c = Σ a_m x_m, the weights a_m by attention; and s adds to it where a modality departs from it:

- `variant: paper`: s = c + the mean of σ(P_m e) ⊙ (x_m − c) over the modalities;
- `variant: mmrec`: s = (c + their sum) / (1 + the number of modalities), so that c counts a third of that.

The loss is BPR's, and `contrast` times that of telling the s of each user and bought item in a batch from the e of the
others by cosine (InfoNCE; one that comes twice is its own rival). `regularisation` weighs the mean squared length of
the learned vectors of a batch (`paper`), or half that of the vectors that are scored, divided by `batch_size` in the
smaller last batch, too (`mmrec`). The learning rate is that of `learning_rate` times `decay` every 50 epochs.

`features: fixed` leaves the features as they are, as in the paper; `trained` makes them parameters, as MMRec does. The
graphs are of the raw features in both.

An item whose features of a modality are all zeros lacks it: it has no edges, is nobody's neighbour, and its c and s are
those of the other modalities; without any s is 0. With one modality c is that modality.

A new arrival has e = 0, since nobody has bought it, and x from the items of the fit that are most similar to it: its
edges lead to them alone, and their rows stay as they are. No arrival's features are projected: they only say who is
like it.
"""

from collections.abc import Mapping, Sequence
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
LAYERS = 100  # the first stream of the layers' first values
TEMPERATURE = 0.2  # by which cosines are divided


class Settings(PairwiseSettings):
    """Section `rec_fit.mgcn` of params.yaml."""

    SECTION: ClassVar[str] = "rec_fit.mgcn"

    variant: Literal["paper", "mmrec"]
    features: Literal["fixed", "trained"]
    layers: Count
    neighbours: Count
    contrast: Annotated[float, Field(ge=0)]
    decay: Annotated[float, Field(gt=0, le=1)]


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
    alike = build_graphs(modalities, run.device)
    return learn(
        lambda: new_model(data, modalities, alike, settings, run),
        partial(read_factors, modalities=modalities, alike=alike, settings=settings),
        data,
        settings,
        run,
    )


def build_graphs(modalities: "Mapping[str, Modality]", device: str) -> "dict[str, Sparse]":
    """Return the normalised graph of the similarities of each modality, (n_items, n_items)."""
    from recsys.graphs.items import weigh_neighbours
    from recsys.graphs.products import Sparse

    return {name: Sparse(weigh_neighbours(modality.neighbours), device) for name, modality in modalities.items()}


def new_model(
    data: Dataset, modalities: "Mapping[str, Modality]", alike: "Mapping[str, Sparse]", settings: Settings, run: Run
) -> "GraphModel":
    """Return a model that has learned nothing yet.

    Tables `users` and `items`; those of the projections; the layers `NAME.gate` and `NAME.prefer` of each modality; and
    of the attention `query` and `answer`.
    """
    from recsys.graphs.layers import new_layer
    from recsys.graphs.modalities import new_projections
    from recsys.graphs.model import GraphModel, new_embeddings
    from recsys.graphs.purchases import Purchases

    rate, width, seed, device = settings.learning_rate, settings.factors, run.seed, run.device
    tables = new_embeddings(data.train.shape, width, rate, seed, device)
    tables |= new_projections(modalities, width, rate, settings.features == "trained", seed, device)
    tables |= new_layer("query", width, width, rate, seed, LAYERS, device)
    tables |= new_layer("answer", width, 1, rate, seed, LAYERS + 2, device, offset=False)
    layers = [f"{name}.{layer}" for name in modalities for layer in ("gate", "prefer")]
    for number, layer in enumerate(layers):
        tables |= new_layer(layer, width, width, rate, seed, LAYERS + 4 + 2 * number, device)
    loss = partial(compute_loss, modalities=modalities, alike=alike, settings=settings)
    return GraphModel(tables, Purchases(data.train, device, added=0.0), loss, decay=settings.decay)


def see_items(
    tables: "Leaves", modalities: "Mapping[str, Modality]", alike: "Mapping[str, Sparse]"
) -> "list[torch.Tensor]":
    """Return x_i of all items for each modality, (n_items, width)."""
    return [alike[name].multiply(purify(tables, name, modality)) for name, modality in modalities.items()]


def purify(tables: "Leaves", name: str, modality: "Modality") -> "torch.Tensor":
    """Return the learned vectors of all items, each value times how much the modality lets through."""
    from recsys.graphs.layers import apply_layer
    from recsys.graphs.modalities import project_rows

    seen = project_rows(tables, name, modality)
    return tables["items"] * apply_layer(tables, f"{name}.gate", seen).sigmoid()


def fuse(
    tables: "Leaves",
    names: Sequence[str],
    parts: "Sequence[torch.Tensor]",
    content: "torch.Tensor",
    known: "torch.Tensor",
    variant: str,
) -> "torch.Tensor":
    """Return s of some users or items: (n, width).

    Args:
        tables: the layers.
        names: of the modalities.
        parts: x of each, (n, width).
        content: e of the same rows, (n, width).
        known: which of the modalities a row has, (n, modalities) bool.
        variant: `paper` or `mmrec`.
    """
    import torch

    from recsys.graphs.layers import apply_layer

    asked = [apply_layer(tables, "answer", apply_layer(tables, "query", part).tanh()) for part in parts]
    weight = torch.cat(asked, 1).masked_fill(~known, -torch.inf).softmax(1).nan_to_num()  # no modality: no weight
    common = torch.stack([part * weight[:, [m]] for m, part in enumerate(parts)]).sum(0)
    apart = torch.stack(
        [
            apply_layer(tables, f"{name}.prefer", content).sigmoid() * (part - common) * known[:, [m]]
            for m, (name, part) in enumerate(zip(names, parts, strict=True))
        ]
    ).sum(0)
    if variant == "mmrec":
        return (common + apart) / (1 + len(names))
    return common + apart / known.sum(1, keepdim=True).clamp(min=1)


def compute_loss(
    leaves: "Leaves",
    graph: "Purchases",
    batch: "Batch",
    regularisation: float,
    modalities: "Mapping[str, Modality]",
    alike: "Mapping[str, Sparse]",
    settings: Settings,
) -> "torch.Tensor":
    """Return the loss of a batch."""
    import torch

    from recsys.graphs.model import compare_pairs

    users, bought, other = batch
    user_rows, user = torch.unique(users, return_inverse=True)
    item_rows, item = torch.unique(torch.cat([bought, other]), return_inverse=True)
    content, side = compute_vectors(leaves, graph, modalities, alike, settings, user_rows, item_rows)
    vectors = [e + s for e, s in zip(content, side, strict=True)]
    rows = vectors[0].index_select(0, user), *(vectors[1].index_select(0, part) for part in item.chunk(2))
    if settings.variant == "paper":
        learned = (
            leaves["users"].index_select(0, users),
            *(leaves["items"].index_select(0, i) for i in (bought, other)),
        )
        length = torch.stack([part.square().sum(1) for part in learned]).sum(0).mean()
    else:
        length = torch.stack([part.square().sum() for part in rows]).sum() / (2 * settings.batch_size)
    contrast = contrast_views(side[1], content[1], item.chunk(2)[0]) + contrast_views(side[0], content[0], user)
    return compare_pairs(*rows).mean() + regularisation * length + settings.contrast * contrast


def compute_vectors(
    tables: "Leaves",
    graph: "Purchases",
    modalities: "Mapping[str, Modality]",
    alike: "Mapping[str, Sparse]",
    settings: Settings,
    user_rows: "torch.Tensor",
    item_rows: "torch.Tensor",
) -> "tuple[list[torch.Tensor], list[torch.Tensor]]":
    """Return e, and s, of some users and some items: (n, width) each."""
    import torch

    chosen = user_rows, item_rows
    whole = graph.average_layers(tables["users"], tables["items"], settings.layers)
    content = [part.index_select(0, rows) for part, rows in zip(whole, chosen, strict=True)]
    of_items = see_items(tables, modalities, alike)
    parts = [graph.block.multiply(part) for part in of_items], of_items
    has = torch.stack([modality.known for modality in modalities.values()], 1)
    known = torch.ones((len(user_rows), len(modalities)), dtype=torch.bool, device=has.device), has[item_rows]
    side = [
        fuse(tables, list(modalities), [part.index_select(0, rows) for part in seen], e, own, settings.variant)
        for rows, seen, e, own in zip(chosen, parts, content, known, strict=True)
    ]
    return content, side


def contrast_views(first: "torch.Tensor", second: "torch.Tensor", rows: "torch.Tensor") -> "torch.Tensor":
    """Return −ln of the share that a row's own second view has among all of the batch, averaged over the batch.

    Args:
        first: (n, width).
        second: (n, width), the same rows.
        rows: the row of each place of the batch, (size,): one that comes twice counts twice, on both sides.
    """
    import torch
    from torch.nn.functional import normalize

    count = torch.bincount(rows, minlength=len(first))
    present = count.nonzero()[:, 0]
    times = count[present].to(first.dtype)
    similar = normalize(first[present]) @ normalize(second[present]).T / TEMPERATURE
    return ((torch.logsumexp(similar + times.log(), 1) - similar.diagonal()) * times).sum() / len(rows)


def read_factors(
    model: "GraphModel", modalities: "Mapping[str, Modality]", alike: "Mapping[str, Sparse]", settings: Settings
) -> Factors:
    """Return the vectors of users and items as arrays, and what `project` needs."""
    import torch

    from recsys.graphs.items import sum_similarities
    from recsys.pairwise.adam import to_array

    tables = model.read_tables()
    rows = [torch.arange(len(tables[name]), device=tables[name].device) for name in ("users", "items")]
    content, side = compute_vectors(tables, model.whole, modalities, alike, settings, *rows)
    users, items = (to_array(e + s) for e, s in zip(content, side, strict=True))
    learned = {name: to_array(tables[name]) for name in tables if name.startswith(("query", "answer"))}
    for name, modality in modalities.items():
        learned[f"{name}.features"] = to_array(modality.features)
        learned[f"{name}.degrees"] = sum_similarities(modality.neighbours)
        learned[f"{name}.vectors"] = to_array(purify(tables, name, modality))
        learned |= {key: to_array(tables[key]) for key in tables if key.startswith(f"{name}.prefer")}
    learned["neighbours"] = np.array([settings.neighbours], dtype=np.int32)
    learned["mmrec"] = np.array([settings.variant == "mmrec"])
    return Factors(users, items, np.zeros(len(items), np.float32), learned)


def project(learned: Mapping[str, np.ndarray], features: Rows) -> ItemFactors:
    """Return items that were not in the fit: s, from the items of the fit that are most similar to each.

    Args:
        learned: of each modality `NAME.features` (n_items, dim), `.degrees` (n_items,) and `.vectors` (n_items,
            factors) of the items of the fit, and the layer `.prefer`; the layers `query` and `answer`; `neighbours`,
            `mmrec`.
        features: (n, dim).
    """
    import torch

    from recsys.graphs.items import weigh_neighbours
    from recsys.graphs.modalities import divide_arrivals
    from recsys.graphs.neighbours import NONE, find_nearest_once

    parts, seen, known = divide_arrivals(learned, features), [], []
    for name, part in parts.items():
        nearest = find_nearest_once(part, all_rows(learned[f"{name}.features"]), int(learned["neighbours"][0]))
        rows = weigh_neighbours(nearest, learned[f"{name}.degrees"]) @ learned[f"{name}.vectors"]
        seen.append(torch.from_numpy(rows.astype(np.float32)))
        known.append((nearest.items != NONE).any(1))
    tables = {name: torch.from_numpy(values) for name, values in learned.items()}
    variant = "mmrec" if learned["mmrec"][0] else "paper"
    content, has = torch.zeros_like(seen[0]), torch.from_numpy(np.stack(known, 1))
    vectors = fuse(tables, list(parts), seen, content, has, variant).numpy()
    return ItemFactors(vectors, np.zeros(len(vectors), dtype=np.float32))
