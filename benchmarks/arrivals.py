"""python benchmarks/arrivals.py [--size hm/100|hm/10|hm] [--sources 20] [--runs 5] [--recommender NAME]

Ranks new arrivals for every source of their words, as `rec_rank_arrivals` does after its inputs are read: among
themselves for all users, among all items for 50,000 of them, with all files and figures. Prints CPU seconds of each
part, and the peak memory of the process. One thread.

Users are a share of H&M's 1,362,281; items are its 104,547, of which 10,424 are arrivals. Purchases are synthetic, 2
arrivals a user: three in ten are what the user's factors rank best of 500 random arrivals, so that hits are about as
frequent as with a good model; the others are random. Features have 384 dimensions, VBPR has 64 factors (`paper`: half
of them project features), FREEDOM 64 and 10 neighbours; factors are random, and each source's features are those of
the first with more noise. NAME is vbpr, contentknn or freedom.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import synthetic
from clock import Clock

sys.path.insert(0, str(Path(__file__).parents[1]))

from features.files import read_features, write_features
from pipeline.core.memory import keep_freed_memory
from recsys.arrivals import rankings
from recsys.arrivals.everything import Everyone
from recsys.arrivals.models import run_file, write_model
from recsys.arrivals.sources import Source
from recsys.arrivals.tables import write_rankings
from recsys.purchases.arrivals import Arrivals
from recsys.purchases.dataset import dataset_of
from recsys.ranking.scorers import Factors
from recsys.recommenders import contentknn, freedom, vbpr

SHARES = {"hm/1000": 1000, "hm/100": 100, "hm/10": 10, "hm": 1}
N_ARRIVALS = 10_424
DIM, FACTORS, K = 384, 64, 12
PER_USER = 24.5
ARRIVALS_PER_USER = 2
LIKED, DRAWN = 0.3, 500  # this share of the arrivals bought is the best of so many random ones
EVERYONE = 50_000
NEIGHBOURS = 10
RECOMMENDERS = {"vbpr": vbpr, "contentknn": contentknn, "freedom": freedom}


def draw_learned(name: str, n_items: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw what the recommender's `project` needs."""
    if name == "freedom":  # every run has the same features
        features = np.random.default_rng(1).standard_normal((n_items, DIM), dtype=np.float32)
        vectors = random.standard_normal((n_items, FACTORS), dtype=np.float32)
        return {"content.features": features, "vectors": vectors, "neighbours": np.array([NEIGHBOURS], np.int32)}
    centre = np.zeros(DIM, np.float32)
    if name == "contentknn":
        return {"centre": centre}
    weights = np.zeros((DIM, FACTORS + 1), np.float32)
    weights[:, FACTORS // 2 :] = random.normal(0, 0.3, (DIM, FACTORS // 2 + 1))
    return {"centre": centre, "scale": np.full(DIM, DIM**-0.5, np.float32), "weights": weights}


def draw_bought(user: np.ndarray, vectors: np.ndarray, bias: np.ndarray, random: np.random.Generator) -> sp.csr_matrix:
    """Draw the arrivals that users bought: (n_users, n_arrivals) binary."""
    n = len(user)
    columns = random.integers(len(vectors), size=(n, ARRIVALS_PER_USER))
    for start in range(0, n, 1000):
        block = slice(start, start + 1000)
        some = random.choice(len(vectors), DRAWN, replace=False)
        best = some[(user[block] @ vectors[some].T + bias[some]).argmax(1)]
        columns[block, 0] = np.where(random.random(len(best)) < LIKED * ARRIVALS_PER_USER, best, columns[block, 0])
    rows = np.repeat(np.arange(n), ARRIVALS_PER_USER)
    bought = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns.ravel())), shape=(n, len(vectors)))
    bought.sum_duplicates()
    bought.data[:] = 1
    return bought


def write_inputs(folder: Path, name: str, n_users: int, n_sources: int, n_runs: int) -> None:
    """Write purchases, models of every run, and the features of every source."""
    random, module = np.random.default_rng(0), RECOMMENDERS[name]
    n_items = synthetic.HM[1] - N_ARRIVALS
    synthetic.write(folder / "purchases", n_users, n_items, PER_USER)
    data = dataset_of(sp.load_npz(folder / "purchases" / "train.npz"))
    ids = [f"arrival {number}" for number in range(N_ARRIVALS)]
    own = random.normal(0, 1, (N_ARRIVALS, DIM)).astype(np.float32)
    for source in range(n_sources):
        noise = random.normal(0, 1, own.shape).astype(np.float32)
        share = source / n_sources
        write_features(folder / f"sources/{source:02}", ids, own * (1 - share) ** 0.5 + noise * share**0.5)
    width = DIM if name == "contentknn" else FACTORS
    for run in range(n_runs):
        learned = draw_learned(name, n_items, random)
        user = random.normal(0, width**-0.5, (n_users, width)).astype(np.float32)
        item = random.normal(0, 1, (n_items, width)).astype(np.float32)
        write_model(run_file(folder, run), Factors(user, item, np.zeros(n_items, np.float32), learned), data)
        if not run:
            items = module.project(learned, read_features(folder / "sources/00").select(ids))
            sp.save_npz(folder / "bought.npz", draw_bought(user, items[0], items[1], random))


def measure(folder: Path, name: str) -> None:
    """Rank in this process, and print what it took."""
    keep_freed_memory()
    module: Any = RECOMMENDERS[name]
    data = dataset_of(sp.load_npz(folder / "purchases" / "train.npz"))
    bought, test = sp.load_npz(folder / "bought.npz"), sp.load_npz(folder / "purchases" / "test.npz")
    n_users, n_items = data.train.shape
    items = np.arange(n_items, n_items + N_ARRIVALS, dtype=np.int32)
    ids = [f"arrival {number}" for number in range(N_ARRIVALS)]
    arrivals = Arrivals(data, items, ids, bought, 0)
    sources = [Source(path.name, read_features(path)) for path in sorted((folder / "sources").iterdir())]
    rows = np.sort(np.random.default_rng(0).choice(n_users, min(n_users, EVERYONE), replace=False))
    is_arrival = np.arange(n_items + N_ARRIVALS) >= n_items
    to_arrivals = sp.hstack([sp.csr_matrix((len(rows), n_items), dtype=np.float32), bought[rows]]).tocsr()
    to_all = sp.hstack([test[rows], bought[rows]]).tocsr()
    everyone = Everyone(rows, data.train[rows], to_arrivals, to_all, is_arrival)
    clock = Clock()
    clock.watch(rankings, "rank_arrivals", "among the arrivals")
    clock.watch(rankings, "rank_everything", f"among all items, {len(rows):,} users")
    ranked = rankings.rank_runs(module, folder, arrivals, sources, everyone, K)
    (folder / "ranked").mkdir()
    write_rankings(folder / "ranked", folder, ranked, arrivals, np.arange(N_ARRIVALS), K)
    figures = [rankings.summarise_source(ranked, source.name, arrivals, K) for source in sources]
    parts = {name: cpu for name, (_, cpu) in clock.parts.items()}
    parts["project, write and score"] = clock.since(clock.start)[1] - sum(parts.values())
    sizes = sum(path.stat().st_size for path in (folder / "ranked").iterdir()) / 1e9
    print(f"{name}: {n_users:,} users, {len(sources)} sources, {len(ranked)} runs, one thread")
    print(
        "CPU s: " + ", ".join(f"{part} {seconds:.1f}" for part, seconds in parts.items()),
        f"sum {sum(parts.values()):.1f}",
    )
    print(f"peak {synthetic.peak_mb() / 1000:.2f} GB; files {sizes:.2f} GB")
    first, last = figures[0], figures[-1]
    print(f"hit rate@{K}: {first[f'hit_rate_{K}']:.3f} of the first source, {last[f'hit_rate_{K}']:.3f} of the last")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SHARES, default="hm/100")
    parser.add_argument("--sources", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--recommender", choices=RECOMMENDERS, default="vbpr")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        runs = 1 if given.recommender == "contentknn" else given.runs
        n_users = synthetic.HM[0] // SHARES[given.size]
        synthetic.call_apart(write_inputs, folder, given.recommender, n_users, given.sources, runs)
        synthetic.call_apart(measure, folder, given.recommender)


if __name__ == "__main__":
    main()
