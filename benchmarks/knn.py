"""python benchmarks/knn.py [--size 20k|hm/16|hm/4|hm] [--models itemknn,userknn] [--rounds 3] [--folder F] [--seconds 600]

Fit, rank the best 12 unseen items of every user, and evaluate: ItemKNN (20 neighbours) and UserKNN (10) of either
neighbourhood against implicit's CosineRecommender (`pip install implicit`; its UserKNN is a fit on the transposed matrix,
ranked by our code). Ours keep freed memory, as every stage does (`pipeline/core/memory.py`). 2 threads, synthetic purchases,
each arm a process of its own, in turn, `--rounds` times; the table shows medians, and the ratio to implicit. All are
evaluated by the same code. The total is fit + rank + evaluate; imports, reading and checking are not in it; peak is of the
whole process.

Checked: implicit counts the item itself as a neighbour, so its 20 are our `standard` 19: the lists have the same scores,
but where several neighbours are equally near at the last place (implicit keeps any, we the first; the table says how many
users that leaves); and of 300 users every list of ours is what sorting all their scores gives. An arm that takes longer than `--seconds`
is stopped and shown so. `--growth` shows ours at 1, 4 and 16 times as many users (H&M's size at last).
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
    """Wall and CPU seconds since the last look."""

    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    since: tuple[float, float] = (0.0, 0.0)

    def start(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.since = time.perf_counter(), used.ru_utime + used.ru_stime

    def stop(self, phase: str) -> None:
        wall, cpu = self.since
        self.start()
        self.seconds[phase] = self.since[0] - wall, self.since[1] - cpu


def ours(train: sp.csr_matrix, model: str, neighbourhood: str, clock: Clock) -> Lists:
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
    """Raises: AssertionError: a list is not what sorting every score of the user gives."""
    users = np.random.default_rng(0).choice(len(lists[0]), min(CHECKED_USERS, len(lists[0])), replace=False)
    for user in users:
        scores = scorer.scores(np.array([user])).toarray()[0]
        scores[train[[user]].indices] = -np.inf
        expected = np.argsort(-scores, kind="stable")[:DEPTH]
        assert lists[0][user].tolist() == expected.tolist(), f"user {user}"


def peer(train: sp.csr_matrix, model: str, clock: Clock) -> Lists:
    try:
        from implicit.nearest_neighbours import CosineRecommender
    except ImportError:
        raise SystemExit("error: implicit is what this compares with; pip install implicit") from None
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
    """One arm in this process; prints a line of JSON."""
    from recsys.scoring.metrics import per_user

    train, clock = sp.load_npz(folder / "train.npz"), Clock()
    items, scores = peer(train, model, clock) if arm == "implicit" else ours(train, model, arm, clock)
    test = sp.load_npz(folder / "test.npz")
    clock.start()
    values = {name: float(np.nanmean(value)) for name, value in per_user(items, test, CUTOFFS).items()}
    clock.stop("evaluate")
    known = np.where(items >= 0, scores, 0)
    np.save(folder / f"{model}-{arm}.npy", np.where(np.isfinite(known), np.maximum(known, 0), 0).astype(np.float32))
    print(json.dumps({"seconds": clock.seconds, "peak_mb": synthetic.peak_mb(), "ndcg_12": values["ndcg_12"]}))


def measured(folder: Path, model: str, arm: str, seconds: float) -> dict[str, Any] | None:
    """What the arm printed, run as a process of its own; None if it was stopped.

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
    """Runs the arms in turn and prints their table."""
    runs: dict[str, list[dict[str, Any] | None]] = {arm: [] for arm in arms}
    for _ in range(rounds):
        for arm in arms:
            if None not in runs[arm]:
                runs[arm].append(measured(folder, model, arm, seconds))
    users, items, _ = SIZES[size]
    print(f"\n{model}, {users:,} users × {items:,} items, {THREADS} threads, median of {rounds}")
    heads = "".join(f"{phase + ' s':>12}" for phase in PHASES)
    print(f"{'arm':10}{heads}{'wall s':>9}{'ratio':>7}{'CPU s':>9}{'ratio':>7}{'peak MB':>9}{'ndcg@12':>10}")
    first: tuple[float, float] | None = None
    for arm in arms:
        done = [run for run in runs[arm] if run is not None]
        if len(done) < len(runs[arm]):
            print(f"{arm:10} stopped after {seconds:.0f} s")
            continue
        phases = {name: [statistics.median(run["seconds"][name][i] for run in done) for i in (0, 1)] for name in PHASES}
        wall, cpu = (statistics.median(sum(run["seconds"][name][i] for name in PHASES) for run in done) for i in (0, 1))
        first = first or (wall, cpu)
        shown = "".join(f"{phases[name][0]:12.2f}" for name in PHASES)
        peak = max(run["peak_mb"] for run in done)
        ratios = f"{wall:9.2f}{wall / first[0]:7.2f}{cpu:9.2f}{cpu / first[1]:7.2f}"
        print(f"{arm:10}{shown}{ratios}{peak:9.0f}{done[0]['ndcg_12']:10.5f}", flush=True)
    if model == "itemknn" and {"implicit", "standard"} <= set(arms):
        theirs, own = np.load(folder / f"{model}-implicit.npy"), np.load(folder / f"{model}-standard.npy")
        same = np.isclose(theirs, own, rtol=1e-4, atol=1e-6).all(1).mean()
        print(f"users whose lists have the same scores, implicit and standard: {same:.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(description="kNN against implicit.")
    parser.add_argument("--size", choices=SIZES, default="20k")
    parser.add_argument("--models", default="itemknn,userknn")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the purchases are kept from one run to the next")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run_arm(given.folder, *given.run)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for size in GROWTH if given.growth else [given.size]:
            folder = (given.folder or Path(scratch)) / size.replace("/", "-")
            if not (folder / "test.npz").exists():
                synthetic.write(folder, *SIZES[size])
            arms = given.arms.split(",") if not given.growth else [arm for arm in ARMS if arm != "implicit"]
            for model in given.models.split(","):
                compare(folder, size, model, arms, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
