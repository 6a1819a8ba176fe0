"""python benchmarks/knn.py [--size 20k|hm/16|hm/4|hm] [--models itemknn,userknn] [--rounds 3]: time nearest neighbours.

Compares ItemKNN (20 neighbours) and UserKNN (10) of both neighbourhoods with implicit's CosineRecommender (`pip
install implicit`): fit, rank the best 12 unseen items of every user, evaluate. The peer's UserKNN is a fit on the
transposed matrix, ranked by our code. Purchases are synthetic. Each arm runs in a process of its own with 2 threads,
in turn, `--rounds` times; the table shows medians and the ratio to implicit. Ours keep freed memory, as every stage
does (`pipeline/core/memory.py`). The same code evaluates all arms. The total is fit + rank + evaluate, without
imports, reading and checks; the peak is of the whole process.

It checks two things. Implicit counts the item itself as a neighbour, so its 20 are our `standard` 19: the lists have
the same scores, except where several neighbours are equally near at the last rank (implicit keeps any, we keep the
first); the table shows for how many users. And for 300 users every list of ours is what sorting all their scores
gives.

An arm that takes longer than `--seconds` is stopped, and the table says so. `--growth` shows our arms at 1, 4 and 16
times as many users, the last being H&M's size.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import synthetic

from recsys.scoring.metrics import compute_metrics

SIZES = {  # users, items, purchases a user
    "20k": (20_000, 10_000, 20.0),
    "hm/16": (synthetic.HM[0] // 16, synthetic.HM[1], synthetic.PURCHASES_PER_USER),
    "hm/4": (synthetic.HM[0] // 4, synthetic.HM[1], synthetic.PURCHASES_PER_USER),
    "hm": (*synthetic.HM, synthetic.PURCHASES_PER_USER),
}
GROWTH = ["hm/16", "hm/4", "hm"]
ARMS = ["implicit", "standard", "elliot"]
NEIGHBOURS = {"itemknn": 20, "userknn": 10}
PHASES = ["fit", "rank", "evaluate"]
THREADS = 2
DEPTH = 12
CUTOFFS = [5, 12]
CHECKED_USERS = 300

Lists = tuple[np.ndarray, np.ndarray]


@dataclass
class Clock:
    """Measures wall and CPU seconds of each phase."""

    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    since: tuple[float, float] = (0.0, 0.0)

    def start(self) -> None:
        """Begin a phase."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.since = time.perf_counter(), usage.ru_utime + usage.ru_stime

    def stop(self, phase: str) -> None:
        """End a phase, store its seconds, and begin the next."""
        wall, cpu = self.since
        self.start()
        self.seconds[phase] = self.since[0] - wall, self.since[1] - cpu


def ours(train: sp.csr_matrix, model: str, neighbourhood: str, clock: Clock) -> Lists:
    """Fit and rank by our recommender, and check the lists."""
    from importlib import import_module

    from pipeline.core.memory import keep_freed_memory
    from pipeline.core.params import REFERENCE, load
    from recsys.purchases.dataset import dataset_of
    from recsys.ranking.recommend import recommend
    from recsys.ranking.settings import Run

    module = import_module(f"recsys.recommenders.{model}")
    k = NEIGHBOURS[model] - (model == "itemknn" and neighbourhood == "standard")
    settings = module.Settings(**(load(REFERENCE)["rec_fit"][model] | {"neighbourhood": neighbourhood, "k": k}))
    data = dataset_of(train)
    keep_freed_memory()
    clock.start()
    scorer = module.fit(data, settings, Run(seed=0, top_k=DEPTH, threads=THREADS))
    clock.stop("fit")
    lists = recommend(scorer, data.train, DEPTH, {"all": np.ones(train.shape[1], dtype=bool)}, THREADS)["all"]
    clock.stop("rank")
    check(scorer, train, lists)
    return lists


def check(scorer: Any, train: sp.csr_matrix, lists: Lists) -> None:
    """Check that the lists of some users are what sorting all their scores gives."""
    users = np.random.default_rng(0).choice(len(lists[0]), min(CHECKED_USERS, len(lists[0])), replace=False)
    for user in users:
        scores = scorer.scores(np.array([user])).toarray()[0]
        scores[train[[user]].indices] = -np.inf
        expected = np.argsort(-scores, kind="stable")[:DEPTH]
        assert lists[0][user].tolist() == expected.tolist(), f"user {user}"


def peer(train: sp.csr_matrix, model: str, clock: Clock) -> Lists:
    """Fit and rank by implicit."""
    try:
        from implicit.nearest_neighbours import CosineRecommender
    except ImportError:
        raise SystemExit("error: the peer is not installed: pip install implicit") from None
    from recsys.ranking.recommend import recommend
    from recsys.ranking.scorers import SparseProduct

    clock.start()
    cosine = CosineRecommender(K=NEIGHBOURS[model], num_threads=THREADS)
    cosine.fit(train if model == "itemknn" else train.T.tocsr(), show_progress=False)
    clock.stop("fit")
    if model == "itemknn":
        lists = cosine.recommend(np.arange(train.shape[0]), train, N=DEPTH, filter_already_liked_items=True)
    else:
        scorer = SparseProduct(cosine.similarity.astype(np.float32), train)
        lists = recommend(scorer, train, DEPTH, {"all": np.ones(train.shape[1], dtype=bool)}, THREADS)["all"]
    clock.stop("rank")
    return lists


def run_arm(folder: Path, model: str, arm: str) -> None:
    """Run an arm in this process, and print a line of JSON."""

    train, clock = sp.load_npz(folder / "train.npz"), Clock()
    items, scores = peer(train, model, clock) if arm == "implicit" else ours(train, model, arm, clock)
    test = sp.load_npz(folder / "test.npz")
    clock.start()
    values = {name: float(np.nanmean(value)) for name, value in compute_metrics(items, test, CUTOFFS).items()}
    clock.stop("evaluate")
    known = np.where(items >= 0, scores, 0)
    np.save(folder / f"{model}-{arm}.npy", np.where(np.isfinite(known), np.maximum(known, 0), 0).astype(np.float32))
    print(json.dumps({"seconds": clock.seconds, "peak_mb": synthetic.peak_mb(), "ndcg_12": values["ndcg_12"]}))


def run_apart(folder: Path, model: str, arm: str, seconds: float) -> dict[str, Any] | None:
    """Run an arm in a process of its own and return what it prints, None if it was stopped.

    Raises:
        SystemExit: the arm failed.
    """
    command = [sys.executable, __file__, "--folder", str(folder), "--run", model, arm]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    try:
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=seconds, check=True)
    except subprocess.TimeoutExpired:
        return None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"error: {model} {arm} ended with status {error.returncode}") from None
    return json.loads(ended.stdout.splitlines()[-1])


def compare(folder: Path, size: str, model: str, arms: list[str], rounds: int, seconds: float) -> None:
    """Run the arms in turn, and print their table."""
    runs: dict[str, list[dict[str, Any] | None]] = {arm: [] for arm in arms}
    for _ in range(rounds):
        for arm in arms:
            if None not in runs[arm]:
                runs[arm].append(run_apart(folder, model, arm, seconds))
    users, items, _ = SIZES[size]
    print(f"\n{model}, {users:,} users × {items:,} items, {THREADS} threads, median of {rounds}")
    heads = "".join(f"{phase + ' s':>12}" for phase in PHASES)
    print(f"{'arm':10}{heads}{'wall s':>9}{'ratio':>7}{'CPU s':>9}{'ratio':>7}{'peak MB':>9}{'ndcg@12':>10}")
    first: tuple[float, float] | None = None
    for arm in arms:
        ended = [run for run in runs[arm] if run is not None]
        if len(ended) < len(runs[arm]):
            print(f"{arm:10} stopped after {seconds:.0f} s")
            continue
        phases = {
            name: [statistics.median(run["seconds"][name][i] for run in ended) for i in (0, 1)] for name in PHASES
        }
        wall, cpu = (
            statistics.median(sum(run["seconds"][name][i] for name in PHASES) for run in ended) for i in (0, 1)
        )
        first = first or (wall, cpu)
        shown = "".join(f"{phases[name][0]:12.2f}" for name in PHASES)
        peak = max(run["peak_mb"] for run in ended)
        ratios = f"{wall:9.2f}{wall / first[0]:7.2f}{cpu:9.2f}{cpu / first[1]:7.2f}"
        print(f"{arm:10}{shown}{ratios}{peak:9.0f}{ended[0]['ndcg_12']:10.5f}", flush=True)
    if model == "itemknn" and {"implicit", "standard"} <= set(arms):
        theirs, own = np.load(folder / f"{model}-implicit.npy"), np.load(folder / f"{model}-standard.npy")
        same = np.isclose(theirs, own, rtol=1e-4, atol=1e-6).all(1).mean()
        print(f"users whose lists have the same scores, implicit and standard: {same:.2%}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="kNN against implicit.")
    parser.add_argument("--size", choices=SIZES, default="20k")
    parser.add_argument("--models", default="itemknn,userknn")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the purchases are kept from one run to the next")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_arm(arguments.folder, *arguments.run)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for size in GROWTH if arguments.growth else [arguments.size]:
            folder = (arguments.folder or Path(scratch)) / size.replace("/", "-")
            if not (folder / "test.npz").exists():
                synthetic.write(folder, *SIZES[size])
            arms = arguments.arms.split(",") if not arguments.growth else [arm for arm in ARMS if arm != "implicit"]
            for model in arguments.models.split(","):
                compare(folder, size, model, arms, arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
