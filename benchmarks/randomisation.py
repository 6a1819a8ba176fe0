"""python benchmarks/randomisation.py [--users 1362281] [--runs 5] [--sources 20] [--draws 2000] [--swap-users 50000].

Compares new arrivals at H&M's size as `compare` does: every row of one recommender on three text feature sets and one
of pictures, with four tested by swapping the texts of products. Prints CPU seconds of both parts and the peak memory
of the process. One thread.

10,424 arrivals of 4,700 products. 5,000 users are drawn and ranked for, each of whom stands for many: the files hold
all users, with what is the same for the users that one stands for. Vectors of 32 dimensions: a source's are those of
the truth with noise, more from one source to the next.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp
import synthetic
from clock import Clock

sys.path.insert(0, str(Path(__file__).parents[1]))

from lookbook.comparison import arrivals, family_tests
from lookbook.comparison.arrivals import Paths, compare_arrivals
from lookbook.comparison.settings import Compare, Study
from pipeline.core.outputs import write_json, write_parquet, write_tables
from pipeline.core.params import REFERENCE, load
from recsys.ranking.dense import rank_columns
from recsys.scoring.contributions import find_hits

N_ARRIVALS, N_PRODUCTS, WIDTH, CUTOFF = 10_424, 4_700, 32, 12
DRAWN = 5_000  # users
PURCHASES = 2.5  # of a user, arrivals
LIKED = 300  # arrivals that a user may buy
TEXTED = ("sbert", "resbert", "clip")
PICTURES = "resnet50"


def list_sources(n_sources: int) -> list[str]:
    """Name sources: those that are tested, then others, from the truest to none."""
    tested = ["reference", "writer-ft", "ridge-resnet50", "table", "writer-pt", "none"]
    return [*tested[:-1], *(f"other{number}-ft" for number in range(n_sources - len(tested))), tested[-1]]


def draw_study(folder: Path, n_users: int, n_runs: int, n_sources: int) -> None:
    """Write the files that `compare` reads of the arrivals."""
    random = np.random.default_rng(1)
    product = np.sort(np.append(np.arange(N_PRODUCTS), random.integers(0, N_PRODUCTS, N_ARRIVALS - N_PRODUCTS)))
    truth = 0.9 * random.normal(size=(N_PRODUCTS, WIDTH))[product] + 0.44 * random.normal(size=(N_ARRIVALS, WIDTH))
    taste = random.normal(size=(DRAWN, WIDTH))
    liked, _ = rank_columns((taste @ truth.T).astype(np.float32), LIKED)
    count = 1 + random.poisson(PURCHASES - 1, DRAWN)
    item = np.concatenate([random.choice(liked[user], count[user], replace=False) for user in range(DRAWN)])
    shape = (DRAWN, N_ARRIVALS)
    bought = sp.csr_matrix((np.ones(len(item), np.float32), item, np.append(0, np.cumsum(count))), shape=shape)
    bought.sort_indices()
    drawn = np.arange(n_users, dtype=np.int32) % DRAWN  # whom each user is like
    write_purchases(folder / "data/interactions", bought, drawn)
    sources = list_sources(n_sources)
    for features, names in {TEXTED[0]: sources, PICTURES: ["pictures"]}.items():
        cell = folder / f"data/arrivals/ranked/vbpr-{features}"
        cell.mkdir(parents=True)
        items = [f"{number:010}" for number in range(N_ARRIVALS)]
        arrivals = pd.DataFrame({"item": np.arange(N_ARRIVALS, dtype=np.int32), "item_id": items, "product": product})
        write_parquet(cell / "arrivals.parquet", arrivals)
        users = pd.DataFrame({"user": np.arange(n_users, dtype=np.int32), "relevant": count[drawn]})
        write_parquet(cell / "users.parquet", users)
        write_json(cell / "factors.json", {"sources": names, "runs": list(range(n_runs)), "k": CUTOFF})
        figures = write_rankings(cell, taste, truth, bought, drawn, names, n_runs)
        write_json(folder / f"metrics/arrivals/vbpr-{features}.json", {"sources": figures, "validation": figures})
    for features in TEXTED[1:]:
        (folder / f"data/arrivals/ranked/vbpr-{features}").symlink_to(f"vbpr-{TEXTED[0]}")
        (folder / f"metrics/arrivals/vbpr-{features}.json").symlink_to(f"vbpr-{TEXTED[0]}.json")


def write_purchases(folder: Path, bought: sp.csr_matrix, drawn: np.ndarray) -> None:
    """Write the purchases of all users, half of them as train."""
    folder.mkdir(parents=True)
    whole = bought[drawn]
    user = np.repeat(np.arange(len(drawn), dtype=np.int32), np.diff(whole.indptr))
    table = pa.table({"user": user, "item": whole.indices, "day": np.zeros(len(user), np.int32)})
    write_parquet(folder / "train.parquet", table[: len(table) // 2])
    write_parquet(folder / "test.parquet", table[len(table) // 2 :])


def write_rankings(
    folder: Path,
    taste: np.ndarray,
    truth: np.ndarray,
    bought: sp.csr_matrix,
    drawn: np.ndarray,
    sources: list[str],
    n_runs: int,
) -> dict[str, dict[str, float]]:
    """Write factors and contributions, and return the NDCG of each source."""
    from safetensors.numpy import save_file

    random, factors, sums = np.random.default_rng(2), {}, dict.fromkeys(sources, 0.0)
    alike = random.normal(size=(len(sources), *truth.shape))
    users = [(taste + 0.5 * random.normal(size=taste.shape)).astype(np.float32) for _ in range(n_runs)]
    for run in range(n_runs):
        factors[f"users-{run}"] = users[run][drawn]
        for number, source in enumerate(sources):
            vectors = truth + 3.0 * number / len(sources) * alike[number] + 0.1 * random.normal(size=truth.shape)
            vectors = np.zeros_like(truth) if source == "none" else vectors
            factors[f"items-{source}-{run}"] = vectors.astype(np.float32)
            factors[f"bias-{source}-{run}"] = np.zeros(len(truth), np.float32)
    save_file(factors, folder / "factors.safetensors")

    def list_hits() -> Iterator[pa.Table]:
        for code, source in enumerate(sources):
            for run in range(n_runs):
                lists, _ = rank_columns(users[run] @ factors[f"items-{source}-{run}"].T, CUTOFF)
                hits = find_hits(lists, bought, CUTOFF)
                by_user = sp.csr_matrix((hits.contribution, (hits.row, hits.item)), shape=bought.shape)[drawn]
                sums[source] += by_user.data.sum() / len(drawn) / n_runs
                n = by_user.nnz
                yield pa.table(
                    {
                        "source": pa.DictionaryArray.from_arrays(np.full(n, code, np.int16), sources),
                        "run": np.full(n, run, np.int32),
                        "user": np.repeat(np.arange(len(drawn), dtype=np.int32), np.diff(by_user.indptr)),
                        "item": by_user.indices.astype(np.int32),
                        "contribution": by_user.data,
                    }
                )

    write_tables(folder / "contributions.parquet", list_hits())
    return {source: {f"ndcg_{CUTOFF}": float(value)} for source, value in sums.items()}


def compare_all(folder: Path, draws: int, swap_users: int) -> None:
    """Compare the arrivals, and print what it took."""
    params = load(REFERENCE)
    params |= {"writer": "writer", "captioners": {"writer": {"family": "llava"}}, "content_recommenders": ["vbpr"]}
    params |= {"arrival_features": [*TEXTED, PICTURES], "image_features": [PICTURES]}
    study = Study(**{key: params[key] for key in Study.model_fields})
    settings = Compare(**(params["compare"] | {"swaps": draws, "swap_users": swap_users}))
    clock = Clock()
    clock.watch(family_tests, "randomise_texts", "swaps")
    clock.watch(arrivals, "find_relevant", "purchases")
    rows = compare_arrivals(study, settings, Paths(*(folder / p for p in PATHS)))
    total = clock.since(clock.start)[1]
    tested = [row for row in rows if row["draws"]]
    print(f"{len(rows)} rows of {rows[0]['n']:,} users, {rows[0]['runs']} runs; {len(tested)} tested by swaps")
    print(f"all {total:.0f} CPU s: " + ", ".join(f"{name} {cpu:.0f}" for name, (_, cpu) in clock.parts.items()))
    print(f"peak {synthetic.peak_mb():,.0f} MB")
    for row in tested:
        figures = {key: row[key] for key in ("a", "b", "difference", "low", "high", "p", "detectable", "draw_users")}
        print(json.dumps(figures))


PATHS = ("data/arrivals/ranked", "metrics/arrivals", "data/interactions")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="New arrivals compared, with a randomisation test.")
    parser.add_argument("--users", type=int, default=synthetic.HM[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sources", type=int, default=20)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--swap-users", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, help="where the study is kept from one run to the next")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).resolve() / f"{given.users}-{given.runs}-{given.sources}"
        if not folder.exists():
            synthetic.call_apart(draw_study, folder, given.users, given.runs, given.sources)
        synthetic.call_apart(compare_all, folder, given.draws, given.swap_users)


if __name__ == "__main__":
    main()
