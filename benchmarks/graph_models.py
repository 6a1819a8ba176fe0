"""python benchmarks/graph_models.py [--models lightgcn,freedom,…] [--size baby | hm] [--scale 1] [--steps 59]

Prints CPU seconds of an epoch of LightGCN, FREEDOM, MGCN and BM3, and of the same models in plain torch: as the papers
state them, sparse products of all nodes in every step and torch.optim.Adam over every table. The data have the shape of
Amazon's Baby: 19,445 users, 7,050 items, 119,000 purchases, features of 4,096 and of 384 dimensions; 64 factors,
batches of 2,048, 59 steps. `--scale 4` has four times the items, at as many users and purchases.

`--size hm` has H&M's size: 1.36 million users, 104,547 items, 31 million purchases, features of 384 dimensions. Only
ours runs there, on fixed features; a few steps are enough, since an epoch has 15,000.

Each variant runs in a process of its own on one thread: two steps to warm up, then `--steps`, from which the seconds of
an epoch are computed. Ours learns on trained and on fixed features. `ratio` is ours by plain. Peak memory is that of
the whole process, after the graphs were built. MMRec itself took 4.9 (LightGCN), 29.5 (FREEDOM), 43.6 (MGCN) and 30.6
(BM3) CPU seconds an epoch on another machine.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import synthetic

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from features.files import all_rows
from pipeline.core.memory import keep_freed_memory
from pipeline.core.params import REFERENCE, load
from recsys.graphs.modalities import Modality, read_modality
from recsys.pairwise.learning import Batch, Triples
from recsys.purchases.dataset import dataset_of
from recsys.ranking.settings import Run
from recsys.recommenders import bm3, freedom, lightgcn, mgcn

DIMENSIONS = {"image": 4096, "text": 384}
# Users, items, purchases of which the last two are test, and the dimensions of the features.
SIZES: dict[str, tuple[int, int, float, dict[str, int]]] = {
    "baby": (19_445, 7_050, 8.2, DIMENSIONS),
    "hm": (*synthetic.HM, synthetic.PURCHASES_PER_USER, {"content": 384}),
}
FACTORS, BATCH, STEPS, RATE = 64, 2048, 59, 1e-3
VARIANTS = ("plain", "trained", "fixed")
MODULES: dict[str, Any] = {"lightgcn": lightgcn, "freedom": freedom, "mgcn": mgcn, "bm3": bm3}
Step = Callable[[Batch], Any]


def read_modalities(n_items: int, dimensions: dict[str, int]) -> dict[str, Modality]:
    """Draw features of 200 kinds of items."""
    random, modalities = np.random.default_rng(0), {}
    kind = random.integers(200, size=n_items)
    for name, dim in dimensions.items():
        rows = random.standard_normal((200, dim), dtype=np.float32)[kind]
        rows += random.standard_normal((n_items, dim), dtype=np.float32)
        modalities[name] = read_modality(all_rows(rows), 10, "cpu")
    return modalities


def prepare_ours(name: str, variant: str, train: sp.csr_matrix, dimensions: dict[str, int]) -> Step:
    """Return a step of our recommender."""
    module, data, run = MODULES[name], dataset_of(train), Run(seed=1, top_k=12)
    section = load(REFERENCE)["rec_fit"][name] | {"factors": FACTORS, "batch_size": BATCH, "learning_rate": RATE}
    settings = module.Settings(**(section | ({"features": variant} if "features" in section else {})))
    if name == "lightgcn":
        model = lightgcn.new_model(data, settings, run)
    else:
        modalities = read_modalities(train.shape[1], dimensions)
        if name == "freedom":
            weights = freedom.weigh_modalities(modalities, settings.image_weight)
            alike = freedom.mix_graphs(modalities, weights, "cpu")
            model = freedom.new_model(data, modalities, alike, settings, run)
        elif name == "mgcn":
            model = mgcn.new_model(data, modalities, mgcn.build_graphs(modalities, "cpu"), settings, run)
        else:
            model = bm3.new_model(data, modalities, settings, run)
    model.begin_epoch(1, 0)
    return lambda batch: model.step(batch, settings.regularisation)


class Plain(torch.nn.Module):
    """A model as its paper states it, on all users and items in every step.

    Args:
        name: of the model.
        train: (n_users, n_items).
    """

    def __init__(self, name: str, train: sp.csr_matrix) -> None:
        super().__init__()
        self.name, self.shape = name, train.shape
        self.n_layers = 1 if name == "bm3" else 2
        self.nodes = torch.nn.Embedding(sum(train.shape), FACTORS)
        torch.nn.init.xavier_uniform_(self.nodes.weight)
        whole = sp.bmat([[None, train], [train.T, None]], format="coo")
        kept = np.random.default_rng(0).random(whole.nnz) < (0.2 if name == "freedom" else 1)
        self.graph = normalise(whole.row[kept], whole.col[kept], np.ones(int(kept.sum())), whole.shape[0])
        self.features, self.projections = torch.nn.ParameterDict(), torch.nn.ModuleDict()
        self.alike: dict[str, torch.Tensor] = {}
        for modality, own in (read_modalities(train.shape[1], DIMENSIONS) if name != "lightgcn" else {}).items():
            self.features[modality] = torch.nn.Parameter(own.features)
            self.projections[modality] = torch.nn.Linear(own.features.shape[1], FACTORS)
            near = own.neighbours
            rows = np.repeat(np.arange(len(near.items)), near.items.shape[1])
            weight = near.similarities.ravel() if name == "mgcn" else np.ones(len(rows))
            self.alike[modality] = normalise(rows, near.items.ravel(), weight, train.shape[1])
        self.layers = torch.nn.ModuleDict(
            {
                key: torch.nn.Linear(FACTORS, FACTORS)
                for key in ("predictor", "query", *(f"{m}_{part}" for m in self.alike for part in ("gate", "prefer")))
            }
        )
        self.answer = torch.nn.Linear(FACTORS, 1, bias=False)

    def propagate(self) -> torch.Tensor:
        """Return the mean over the layers, of users, then of items."""
        layers = [self.nodes.weight]
        for _ in range(self.n_layers):
            layers.append(torch.sparse.mm(self.graph, layers[-1]))
        return torch.stack(layers).mean(0)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the loss of a batch."""
        users, items = self.propagate().split(self.shape)
        return {"lightgcn": self.lightgcn, "freedom": self.freedom, "mgcn": self.mgcn, "bm3": self.bm3}[self.name](
            users, items, batch
        )

    def lightgcn(self, users: torch.Tensor, items: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return BPR's loss and the squared length of the batch's rows."""
        own, other = self.nodes.weight.split(self.shape)
        rows = own[batch[0]], other[batch[1]], other[batch[2]]
        return bpr(users[batch[0]], items[batch[1]], items[batch[2]]) + 1e-4 * squares(*rows) / len(batch[0])

    def freedom(self, users: torch.Tensor, items: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return BPR's losses of the vectors and of the projected features."""
        own = self.nodes.weight.split(self.shape)[1]
        items = items + sum(w * torch.sparse.mm(self.alike[m], own) for m, w in (("image", 0.1), ("text", 0.9)))
        loss = bpr(users[batch[0]], items[batch[1]], items[batch[2]])
        for modality, rows in self.features.items():
            seen = self.projections[modality](rows)
            loss = loss + 1e-3 * bpr(users[batch[0]], seen[batch[1]], seen[batch[2]])
        return loss

    def mgcn(self, users: torch.Tensor, items: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return BPR's loss, the contrastive one and the squared length."""
        content, own = torch.cat([users, items]), self.nodes.weight.split(self.shape)[1]
        parts = []
        for modality, rows in self.features.items():
            gate = self.layers[f"{modality}_gate"](self.projections[modality](rows)).sigmoid()
            seen = torch.sparse.mm(self.alike[modality], own * gate)
            zeros = torch.zeros(self.shape[0], FACTORS)
            parts.append(torch.cat([torch.sparse.mm(self.graph, torch.cat([zeros, seen]))[: self.shape[0]], seen]))
        weight = torch.cat([self.answer(self.layers["query"](part).tanh()) for part in parts], 1).softmax(1)
        common = sum(weight[:, [m]] * part for m, part in enumerate(parts))
        side = common + sum(
            self.layers[f"{m}_prefer"](content).sigmoid() * (part - common) / 2
            for m, part in zip(self.alike, parts, strict=True)
        )
        (side_users, side_items), user, bought = side.split(self.shape), batch[0], batch[1]
        rows = (users + side_users)[user], (items + side_items)[bought], (items + side_items)[batch[2]]
        contrast = info_nce(side_items[bought], items[bought]) + info_nce(side_users[user], users[user])
        return bpr(*rows) + 0.01 * contrast + 1e-4 * squares(*rows) / len(user)

    def bm3(self, users: torch.Tensor, items: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return how far predictions point from their targets, and the squared length."""
        from torch.nn.functional import cosine_similarity, dropout

        items, predict = items + self.nodes.weight.split(self.shape)[1], self.layers["predictor"]
        of_users, of_items = (dropout(part.detach(), 0.3) for part in (users, items))
        user, bought, _ = batch
        loss = -cosine_similarity(predict(users)[user], of_items[bought]).mean()
        loss = loss - cosine_similarity(predict(items)[bought], of_users[user]).mean()
        for modality, rows in self.features.items():
            seen = self.projections[modality](rows)
            target, predicted = dropout(seen.detach(), 0.3), predict(seen)
            loss = loss - cosine_similarity(predicted[bought], of_items[bought]).mean()
            loss = loss - cosine_similarity(predicted[bought], target[bought]).mean()
        return loss + 0.1 * squares(users[user], items[bought]) / len(user)


def normalise(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, n: int) -> torch.Tensor:
    """Return D^-½ A D^-½ as torch's sparse matrix of entries, (n, n)."""
    root = np.maximum(np.bincount(rows, values, n), 1e-7) ** -0.5
    entries = torch.from_numpy((values * root[rows] * root[columns]).astype(np.float32))
    places = torch.from_numpy(np.stack([rows, columns]).astype(np.int64))
    return torch.sparse_coo_tensor(places, entries, (n, n), check_invariants=True).coalesce()


def bpr(user: torch.Tensor, bought: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return BPR's loss."""
    return torch.nn.functional.softplus((user * (other - bought)).sum(1)).mean()


def squares(*rows: torch.Tensor) -> torch.Tensor:
    """Return the sum of squares."""
    return torch.stack([part.square().sum() for part in rows]).sum()


def info_nce(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the contrastive loss of two views of a batch."""
    similar = torch.nn.functional.normalize(first) @ torch.nn.functional.normalize(second).T / 0.2
    return (similar.logsumexp(1) - similar.diagonal()).mean()


def prepare_plain(name: str, train: sp.csr_matrix) -> Step:
    """Return a step of a model in plain torch."""
    model = Plain(name, train)
    adam = torch.optim.Adam(model.parameters(), RATE)

    def step(batch: Batch) -> torch.Tensor:
        adam.zero_grad()
        loss = model(batch)
        loss.backward()
        adam.step()
        return loss.detach()

    return step


def run_variant(folder: Path, name: str, variant: str, steps: int, dimensions: dict[str, int]) -> None:
    """Learn in this process, and print a line of JSON."""
    torch.set_num_threads(1)
    if variant != "plain":
        keep_freed_memory()  # as every stage does
    train = sp.load_npz(folder / "train.npz")
    step = prepare_plain(name, train) if variant == "plain" else prepare_ours(name, variant, train, dimensions)
    triples = Triples(train)

    def batches(n: int) -> Iterator[Batch]:
        yield from zip(*(part.split(BATCH) for part in triples.draw(n * BATCH, n)), strict=True)

    for batch in batches(2):
        step(batch)
    reset_peak()
    started = time.process_time()
    losses = [float(step(batch)) for batch in batches(steps)]
    assert np.isfinite(losses).all()
    cpu = (time.process_time() - started) / steps * math.ceil(train.nnz / BATCH)
    print(json.dumps({"cpu": cpu, "peak_mb": synthetic.peak_mb(), "pairs": train.nnz}))


def reset_peak() -> None:
    """Begin to count the peak memory of this process anew."""
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(MODULES))
    parser.add_argument("--size", choices=SIZES, default="baby")
    parser.add_argument("--scale", type=int, default=1, help="of the number of items")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--run", nargs=3, metavar=("FOLDER", "MODEL", "VARIANT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    n_users, n_items, per_user, dimensions = SIZES[arguments.size]
    if arguments.run:
        folder, name, variant = arguments.run
        run_variant(Path(folder), name, variant, arguments.steps, dimensions)
        return
    with tempfile.TemporaryDirectory() as scratch:
        n_items *= arguments.scale
        synthetic.call_apart(synthetic.write, Path(scratch), n_users, n_items, per_user)
        widths = " and ".join(f"{dim:,}" for dim in dimensions.values())
        print(f"{n_users:,} users × {n_items:,} items, features of {widths} dimensions, 1 thread")
        print(f"{'model':10}{'variant':10}{'CPU s an epoch':>16}{'ratio':>8}{'peak MB':>10}")
        for name in arguments.models.split(","):
            compare_variants(scratch, name, arguments.size, arguments.steps)


def compare_variants(folder: str, name: str, size: str, steps: int) -> None:
    """Run the variants of a model one after another, and print a line of each."""
    variants = VARIANTS[:2] if name == "lightgcn" else VARIANTS
    plain = math.nan
    for variant in variants if size == "baby" else variants[-1:]:
        command = [sys.executable, __file__, "--run", folder, name, variant, "--size", size, "--steps", str(steps)]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        result = json.loads(ended.stdout.splitlines()[-1])
        plain = result["cpu"] if variant == "plain" else plain
        label = "ours" if name == "lightgcn" and variant != "plain" else variant
        print(
            f"{name:10}{label:10}{result['cpu']:16,.1f}{result['cpu'] / plain:8.2f}{result['peak_mb']:10,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
