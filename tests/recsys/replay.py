"""python -m tests.recsys.replay DATA.npz MODEL.npz: replay a reference run of MMRec, and print how far ours lies off.

The format of the files is that of tests/golden/mmrec/README.md; `configs.json` is read beside DATA, and MODEL's name is
the model's. Ours starts from the same weights and takes the same batches. Ends with 1 where a loss lies further than
1e-5, a weight further than 1e-4, or a list differs in more than places whose scores are nearly equal.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from features.files import all_rows
from recsys.graphs.modalities import Modality, read_modality
from recsys.graphs.purchases import Purchases, keep_edges
from recsys.pairwise.adam import Adam
from recsys.purchases.dataset import Dataset, dataset_of
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run
from recsys.recommenders import bm3, freedom, lattice, lightgcn, mgcn, vbpr

LOSS, WEIGHT, SCORE = 1e-5, 1e-4, 1e-5  # how far each may lie; scores as a share of the largest
# The names of linear layers, which are (width, dim) in the reference.
LAYERS = r"(_trs|item_linear|predictor|gate_\w+\.0|query_common\.\d)\.weight$"
Arrays = Mapping[str, np.ndarray]
Config = dict[str, Any]


@dataclass
class Replay:
    """A model of ours, ready to take the batches of a reference run.

    Attributes:
        model: with the run's first weights.
        names: table → its name in the reference.
        regularisation: of every step.
        read_factors: of the model.
        begin_epoch: prepares the epoch with that number.
        tables: by our name; none: those of the model on a graph.
    """

    model: Any
    names: dict[str, str]
    regularisation: float
    read_factors: Callable[[Any], Factors]
    begin_epoch: Callable[[int], None] = field(default=lambda epoch: None)
    tables: Mapping[str, Adam] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = self.tables or self.model.tables


def train_of(data: Arrays) -> Dataset:
    """Return the train purchases of DATA."""
    user, item = data["train"].astype(np.int64).T
    shape = int(data["n_users"]), int(data["n_items"])
    return dataset_of(sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=shape))


def modalities_of(data: Arrays, k: int) -> dict[str, Modality]:
    """Return the pictures and texts of DATA."""
    return {name: read_modality(all_rows(data[name]), k, "cpu") for name in ("image", "text")}


def common_settings(config: Config) -> dict[str, Any]:
    """Return the settings that every model has."""
    return {
        "factors": config["d"],
        "epochs": config["epochs"],
        "batch_size": config["train_batch_size"],
        "learning_rate": config["learning_rate"],
        "regularisation": config["reg_weight"],
    }


def name_projections(modalities: Mapping[str, Modality], trained: bool) -> dict[str, str]:
    """Return the names of the tables of the projections."""
    names = {}
    for name in modalities:
        names |= {f"{name}.weights": f"{name}_trs.weight", f"{name}.offset": f"{name}_trs.bias"}
        names |= {f"{name}.features": f"{name}_embedding.weight"} if trained else {}
    return names


def replay_lightgcn(data: Arrays, reference: Arrays, config: Config) -> Replay:
    settings = lightgcn.Settings(**common_settings(config), layers=config["n_layers"], variant="mmrec")
    model = lightgcn.new_model(train_of(data), settings, Run(seed=0, top_k=12))
    names = {"users": "embedding_dict.user_emb", "items": "embedding_dict.item_emb"}
    return Replay(model, names, settings.regularisation, lambda model: lightgcn.read_factors(model, config["n_layers"]))


def replay_freedom(data: Arrays, reference: Arrays, config: Config) -> Replay:
    train, trained = train_of(data), config["trains_features"]
    settings = freedom.Settings(
        **common_settings(config),
        features="trained" if trained else "fixed",
        layers=config["n_ui_layers"],
        neighbours=config["knn_k"],
        image_weight=config["mm_image_weight"],
        dropped=config["dropout"],
    )
    modalities = modalities_of(data, settings.neighbours)
    alike = freedom.mix_graphs(modalities, freedom.weigh_modalities(modalities, settings.image_weight), "cpu")
    model = freedom.new_model(train, modalities, alike, settings, Run(seed=0, top_k=12))
    owner = np.repeat(np.arange(train.train.shape[0]), np.diff(train.train.indptr))
    keys = owner * train.train.shape[1] + train.train.indices

    def begin_epoch(epoch: int) -> None:
        user, item = reference["edges"][epoch].astype(np.int64).T
        kept = np.isin(keys, user * train.train.shape[1] + item)
        model.graph = Purchases(keep_edges(train.train, kept), "cpu")

    names = {"users": "user_embedding.weight", "items": "item_id_embedding.weight"}
    return Replay(
        model,
        names | name_projections(modalities, trained),
        settings.regularisation,
        lambda model: freedom.read_factors(model, modalities, alike, settings),
        begin_epoch,
    )


def replay_bm3(data: Arrays, reference: Arrays, config: Config) -> Replay:
    train, trained = train_of(data), config["trains_features"]
    settings = bm3.Settings(
        **common_settings(config),
        variant="mmrec",
        features="trained" if trained else "fixed",
        layers=config["n_layers"],
        dropout=config["dropout"],
        content=config["cl_weight"],
    )
    modalities = modalities_of(data, 1)
    names = ["users", "items", "text", "image"]  # in the order of the masks
    ends = np.cumsum([*train.train.shape, *(train.train.shape[1],) * 2]) * settings.factors
    step = iter(range(len(reference["losses"])))
    bits: dict[str, torch.Tensor] = {}

    def draw_mask(name: str, rows: torch.Tensor) -> torch.Tensor:
        if name == "users":  # the first of every step
            parts = np.split(np.unpackbits(reference["masks"][next(step)])[: ends[-1]], ends[:-1])
            bits.update((key, torch.from_numpy(part)) for key, part in zip(names, parts, strict=True))
        return bits[name].view(-1, settings.factors)[rows] / (1 - settings.dropout)

    model = bm3.new_model(train, modalities, settings, Run(seed=0, top_k=12), draw_mask)
    return Replay(
        model,
        {
            "users": "user_embedding.weight",
            "items": "item_id_embedding.weight",
            "predictor.weights": "predictor.weight",
            "predictor.offset": "predictor.bias",
        }
        | name_projections(modalities, trained),
        settings.regularisation,
        lambda model: bm3.read_factors(model, settings),
    )


def replay_mgcn(data: Arrays, reference: Arrays, config: Config) -> Replay:
    train, trained = train_of(data), config["trains_features"]
    settings = mgcn.Settings(
        **common_settings(config),
        variant="mmrec",
        features="trained" if trained else "fixed",
        layers=config["n_ui_layers"],
        neighbours=config["knn_k"],
        contrast=config["cl_loss"],
        decay=config["lr_base"],
    )
    modalities = modalities_of(data, settings.neighbours)
    alike = mgcn.build_graphs(modalities, "cpu")
    model = mgcn.new_model(train, modalities, alike, settings, Run(seed=0, top_k=12))
    layers = {"query": "query_common.0", "image.gate": "gate_v.0", "text.gate": "gate_t.0"}
    layers |= {f"{name}.prefer": f"gate_{name}_prefer.0" for name in modalities}
    names = {"users": "user_embedding.weight", "items": "item_id_embedding.weight"}
    names["answer.weights"] = "query_common.2.weight"
    for layer, name in layers.items():
        names |= {f"{layer}.weights": f"{name}.weight", f"{layer}.offset": f"{name}.bias"}
    return Replay(
        model,
        names | name_projections(modalities, trained),
        settings.regularisation,
        lambda model: mgcn.read_factors(model, modalities, alike, settings),
    )


def replay_lattice(data: Arrays, reference: Arrays, config: Config) -> Replay:
    train, trained = train_of(data), config["trains_features"]
    settings = lattice.Settings(
        **common_settings(config),
        variant="mmrec",
        features="trained" if trained else "fixed",
        projections="momentum" if config["zeros"] else "still",
        layers=2,
        neighbours=config["knn_k"],
        frozen=config["lambda_coeff"],
        decay=config["lr_base"],
    )
    modalities = modalities_of(data, settings.neighbours)
    raw = lattice.build_raw(modalities, "cpu")
    model = lattice.new_model(train, modalities, raw, settings, Run(seed=0, top_k=12))
    names = {"users": "user_embedding.weight", "items": "item_id_embedding.weight", "mix": "modal_weight"}
    return Replay(
        model,
        names | name_projections(modalities, trained),
        settings.regularisation,
        lambda model: lattice.read_factors(model, modalities, raw, settings),
    )


def replay_vbpr(data: Arrays, reference: Arrays, config: Config) -> Replay:
    train = train_of(data)
    settings = vbpr.Settings(**common_settings(config), variant="mmrec")
    features = all_rows(np.hstack([data["text"], data["image"]]))
    model = vbpr.new_mmrec_model(train.train.shape[0], features, settings, Run(seed=0, top_k=12))
    assert model.visual is not None
    assert model.visual.offset is not None
    tables = {
        "u_embedding": model.users,
        "i_embedding": model.items,
        "item_linear.weight": model.visual.weights,
        "item_linear.bias": model.visual.offset,
    }
    names = {name: name for name in tables}
    return Replay(model, names, settings.regularisation, vbpr.read_mmrec_factors, tables=tables)


REPLAYS = {
    "BM3": replay_bm3,
    "FREEDOM": replay_freedom,
    "LATTICE": replay_lattice,
    "LATTICE-torch1": replay_lattice,
    "LightGCN": replay_lightgcn,
    "MGCN": replay_mgcn,
    "VBPR": replay_vbpr,
}


def read_weights(reference: Arrays, when: str, name: str) -> np.ndarray | None:
    """Return a table of the reference in our shape: weights (dim, width), offsets (1, width)."""
    values = reference.get(f"{when}/{name}")
    if values is None:
        return None
    return values[None] if values.ndim == 1 else values.T if re.search(LAYERS, name) else values


def compare_weights(replay: Replay, reference: Arrays, when: str) -> float:
    """Return the largest difference between our tables and the reference's."""
    apart = [0.0]
    for table, name in replay.names.items():
        expected = read_weights(reference, when, name)
        if expected is not None:
            apart.append(float(np.abs(replay.tables[table].values.numpy() - expected).max()))
    return find_largest(apart)


def find_largest(values: Sequence[float]) -> float:
    """Return the largest value, NaN where one is: Python's `max` would pass over it."""
    return float(np.max(values))


def take_steps(replay: Replay, data: Arrays, config: Config) -> Iterator[tuple[int, float]]:
    """Take every step of the run; yield its number, from 1, and its loss."""
    ends = np.cumsum(data["batch_sizes"].astype(np.int64))
    for number, rows in enumerate(np.split(data["batches"].astype(np.int64), ends[:-1])):
        epoch, step = divmod(number, int(data["steps_per_epoch"]))
        if step == 0:
            replay.model.begin_epoch(0, epoch)
            replay.begin_epoch(epoch)
        batch = tuple(torch.from_numpy(column.copy()) for column in rows.T)
        yield number + 1, float(replay.model.step(batch, replay.regularisation))  # type: ignore[arg-type]


def count_other_lists(scores: np.ndarray, data: Arrays, reference: Arrays) -> int:
    """Count the users whose list differs from the reference's by more than places of nearly equal scores."""
    user, item = data["train"].astype(np.int64).T
    masked = scores.copy()
    masked[user, item] = -np.inf
    name = next(key for key in reference if re.fullmatch(r"top\d+", key))
    expected = reference[name].astype(np.int64)
    ours = np.argsort(-masked, axis=1, kind="stable")[:, : expected.shape[1]]
    theirs = reference["scores"]
    gap = np.abs(np.take_along_axis(theirs, ours, 1) - np.take_along_axis(theirs, expected, 1))
    distinct = np.array([len(set(row)) == len(row) for row in ours])
    near = gap <= SCORE * np.abs(theirs).max()  # a NaN is near nothing
    return int(((ours != expected) & ~near).any(1).sum() + (~distinct).sum())


def compute_deviations(data_path: Path, model_path: Path) -> dict[str, float]:
    """Replay a run: the largest deviation of `losses`, `weights` and `scores`, and the number of other `lists`."""
    data, reference = dict(np.load(data_path)), dict(np.load(model_path))
    name = model_path.stem
    if name not in REPLAYS:
        raise SystemExit(f"{model_path}: no recommender of ours replays {name}; those that do: {', '.join(REPLAYS)}")
    config = json.loads((data_path.parent / "configs.json").read_text())[name]
    replay = REPLAYS[name](data, reference, config)
    for table, reference_name in replay.names.items():
        first = read_weights(reference, "init", reference_name)
        if first is not None:
            replay.tables[table].values.copy_(torch.from_numpy(first.copy()))
    losses, weights = 0.0, 0.0
    for number, loss in take_steps(replay, data, config):
        losses = find_largest([losses, abs(loss - float(reference["losses"][number - 1]))])
        weights = find_largest([weights, compare_weights(replay, reference, f"step{number}")])
    weights = find_largest([weights, compare_weights(replay, reference, "final")])
    scores = replay.read_factors(replay.model).scores(np.arange(int(data["n_users"])))
    return {
        "losses": losses,
        "weights": weights,
        "scores": float(np.abs(scores - reference["scores"]).max()),
        "lists": count_other_lists(scores, data, reference),
    }


def are_close(deviations: Mapping[str, float]) -> bool:
    """Tell whether the deviations are those of rounding; NaN is not."""
    return deviations["losses"] <= LOSS and deviations["weights"] <= WEIGHT and deviations["lists"] == 0


def main(arguments: list[str]) -> int:
    """Print the deviations of one run."""
    if len(arguments) != 2:
        raise SystemExit("usage: python -m tests.recsys.replay DATA.npz MODEL.npz")
    torch.set_num_threads(1)
    deviations = compute_deviations(*map(Path, arguments))
    close = are_close(deviations)
    print(
        f"{Path(arguments[1]).stem}: losses {deviations['losses']:.1e} (at most {LOSS:.0e}), weights "
        f"{deviations['weights']:.1e} (at most {WEIGHT:.0e}), scores {deviations['scores']:.1e}, other lists "
        f"{deviations['lists']:.0f}: {'equal' if close else 'NOT EQUAL'}"
    )
    return 0 if close else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
