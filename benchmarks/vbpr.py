"""python benchmarks/vbpr.py [--size 20k|hm/16|hm] [--dim 512] [--variants paper,ducho] [--seconds 60] [--device cpu]

Prints the triples a second that VBPR learns from: drawing them, both steps of learning, Adam. Purchases are synthetic,
as in `benchmarks/knn.py`; features are random float16 of `--dim` dimensions; batches and factors are those of
studies/sample.yaml; 2 threads. Each variant runs in a process of its own: 100,000 triples to warm up, then blocks of
them for `--seconds`. `plain` is the paper's model in plain torch: nn.Embedding, a linear projection, and
torch.optim.Adam over everything. Peak memory is that of the whole process, features and purchases included.

Last comes the time of ranking the best 12 for a user, in NumPy on one thread, among all items and among a second pool.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import synthetic

sys.path.insert(0, str(Path(__file__).parents[1]))

from features.files import Rows, all_rows
from pipeline.core.memory import keep_freed_memory
from pipeline.core.params import REFERENCE, load
from recsys.ranking.recommend import recommend
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run
from recsys.recommenders import vbpr
from recsys.recommenders._standards import find_standards

SIZES = {
    "20k": (20_000, 10_000, 20.0),
    "hm/16": (synthetic.HM[0] // 16, synthetic.HM[1], synthetic.PURCHASES_PER_USER),
    "hm": (*synthetic.HM, synthetic.PURCHASES_PER_USER),
}
BLOCK = 100_000
RANKED = 2000  # users
Learn = Callable[[Any], None]  # a block of triples: users, bought, other


def prepare_ours(train: sp.csr_matrix, features: Rows, settings: vbpr.Settings, run: Run) -> Learn:
    """Return what learns a block of triples by our model, of the paper or of the fork."""
    names = [str(item) for item in range(train.shape[1])]
    centre, scale = find_standards(features, names)
    if settings.variant == "ducho":
        model = vbpr.new_ducho_model(train.shape[0], features, settings, run)
    else:
        model = vbpr.new_paper_model(train.shape[0], features, centre, scale, settings, run)

    def learn(block: Any) -> None:
        for batch in zip(*(part.split(settings.batch_size) for part in block), strict=True):
            model.step(batch, settings.regularisation)

    return learn


def prepare_plain(train: sp.csr_matrix, features: Rows, settings: vbpr.Settings, run: Run) -> Learn:
    """Return what learns a block of triples by the paper's model in plain torch."""
    import torch

    n_users, n_items = train.shape
    half = settings.factors // 2
    inputs = torch.from_numpy(features.take(np.arange(n_items))).to(run.device)
    inputs = (inputs - inputs.mean(0)) / inputs.std(0) / inputs.shape[1] ** 0.5
    users, items = torch.nn.Embedding(n_users, settings.factors), torch.nn.Embedding(n_items, half + 1)
    projection = torch.nn.Linear(inputs.shape[1], half + 1, bias=False)
    parts = torch.nn.ModuleList([users, items, projection]).to(run.device)
    adam = torch.optim.Adam(parts.parameters(), lr=settings.learning_rate)

    def score(user: Any, item: Any) -> Any:
        own, projected = items(item), projection(inputs[item])
        sides = torch.cat([own[:, :-1], projected[:, :-1]], 1)
        return (user * sides).sum(1) + own[:, -1] + projected[:, -1], own.square().sum(1)

    def learn(block: Any) -> None:
        for rows, bought, other in zip(*(part.split(settings.batch_size) for part in block), strict=True):
            user = users(rows)
            (of_bought, length), (of_other, other_length) = score(user, bought), score(user, other)
            loss = torch.nn.functional.softplus(of_other - of_bought).mean()
            loss = loss + settings.regularisation * (user.square().sum(1) + length + other_length).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()

    return learn


def run_variant(folder: Path, variant: str, dim: int, seconds: float, device: str) -> None:
    """Learn by a variant in this process, and print a line of JSON."""
    import torch

    from recsys.pairwise.learning import Triples

    torch.set_num_threads(2)
    if variant != "plain":
        keep_freed_memory()  # as every stage does
    train = sp.load_npz(folder / "train.npz")
    values = np.random.default_rng(0).standard_normal((train.shape[1], dim), dtype=np.float32)
    features = all_rows(values.astype(np.float16))
    changed = {"variant": "ducho" if variant == "ducho" else "paper"}
    settings = vbpr.Settings(**(load(REFERENCE)["rec_fit"]["vbpr"] | changed))
    run = Run(seed=1, top_k=12, device=device, threads=2)
    learn = (prepare_plain if variant == "plain" else prepare_ours)(train, features, settings, run)
    triples, n_blocks = Triples(train, device), 0
    learn(triples.draw(BLOCK, 1, 0))
    started, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        learn(triples.draw(BLOCK, 1, n_blocks + 1))
        if device != "cpu":
            torch.cuda.synchronize()
        n_blocks += 1
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({"triples": n_blocks * BLOCK, "wall": wall, "cpu": cpu, "peak_mb": synthetic.peak_mb()}))


def time_ranking(n_items: int) -> list[float]:
    """Return the CPU milliseconds of ranking a user, among one pool of candidates and among two."""
    random = np.random.default_rng(0)
    width = vbpr.Settings(**load(REFERENCE)["rec_fit"]["vbpr"]).factors
    users, items = (random.standard_normal((n, width), dtype=np.float32) for n in (RANKED, n_items))
    scorer = Factors(users, items, random.standard_normal(n_items, dtype=np.float32))
    seen = sp.random(RANKED, n_items, density=20 / n_items, format="csr", dtype=np.float32, random_state=0)
    pools = {"all": np.ones(n_items, dtype=bool), "common": random.random(n_items) < 0.9}
    times = []
    for n_pools in (1, 2):
        started = time.process_time()
        recommend(scorer, seen, 12, dict(list(pools.items())[:n_pools]))
        times.append(1000 * (time.process_time() - started) / RANKED)
    return times


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="hm/16")
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--variants", default="plain,paper,ducho")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="where the purchases are kept from one run to the next")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_variant(arguments.folder, arguments.run, arguments.dim, arguments.seconds, arguments.device)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = (arguments.folder or Path(scratch)) / arguments.size.replace("/", "-")
        if not (folder / "train.npz").exists():
            synthetic.call_apart(synthetic.write, folder, *SIZES[arguments.size])
        users, items, _ = SIZES[arguments.size]
        print(f"{users:,} users × {items:,} items, {arguments.dim} dimensions, {arguments.device}, 2 threads")
        print(f"{'variant':10}{'triples/s':>12}{'per CPU s':>12}{'peak MB':>10}")
        for variant in arguments.variants.split(","):
            command = [sys.executable, __file__, "--folder", str(folder), "--run", variant, "--dim", str(arguments.dim)]
            command += ["--seconds", str(arguments.seconds), "--device", arguments.device]
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            result = json.loads(ended.stdout.splitlines()[-1])
            rates = [result["triples"] / result[key] for key in ("wall", "cpu")]
            print(f"{variant:10}{rates[0]:12,.0f}{rates[1]:12,.0f}{result['peak_mb']:10.0f}", flush=True)
    for n_pools, each in enumerate(time_ranking(items), start=1):
        print(f"ranking among {n_pools} pools: {each:.2f} ms CPU a user, {each * users / 3.6e6:.2f} CPU hours a run")


if __name__ == "__main__":
    main()
