"""python benchmarks/comparison.py [--users N] [--runs 5] [--folder F]: time `rec_score` and `compare` at H&M's size.

Purchases are those of `synthetic.py`, split by `rec_interactions`. The lists hold 12 random items for three texts
(masked-ft, masked-pt, masked-none), in as many runs as a study makes; scoring takes the same time for any items.
Prints seconds and peak memory of `rec_score`, and of the comparison of the texts, for all users and slice by slice,
with 10,000 draws. `--growth` does so for a sixteenth and a quarter of the users, and for all.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import synthetic
from interactions import ROOT, run_timed

from catalogue.descriptions.variants import SOURCE_OF

TEXTS = ("masked-ft", "masked-pt", "masked-none")
DEPTH = 12
COMPARE = f"""
from pathlib import Path
from lookbook.comparison.recommendations import Axes, compare_masked, compare_slices
axes = Axes([], {TEXTS}, [], ["vbpr-words"], draws=10_000, seed=42)
rows = compare_masked(axes, Path("data/scores/recommendations.parquet"), {DEPTH})
rows += compare_slices(axes, Path("data/scores/recommendation_slices.parquet"), {DEPTH}, "common")
print(len(rows), "comparisons, the largest of", f"{{max(row['n'] for row in rows):,}}", "users")
"""


def write_study(folder: Path, n_users: int) -> None:
    """Write what `rec_score` reads, without the lists."""
    from pipeline.core.params import load
    from recsys import interactions

    n_items = synthetic.HM[1]
    ids = [f"{100_000_000 + number:010}" for number in range(n_items)]
    random = np.random.default_rng(3)
    split = random.choice(["train", "validation", "test"], n_items, p=[0.7, 0.1, 0.2])
    category = random.choice([f"kind {number:02}" for number in range(40)], n_items)
    items = {"item_id": ids, "original": np.ones(n_items, bool), "product_code": [item[:9] for item in ids]}
    prepared = folder / "data/prepared"
    prepared.mkdir(parents=True)
    pq.write_table(pa.table(items | {"category": category, "split": split}), prepared / "items.parquet")
    (folder / "data/texts").mkdir()
    for text in TEXTS:
        source = np.where(split == "test", SOURCE_OF[text], "own")
        table = pa.table({"item_id": ids, "masked": split == "test", "source": source})
        pq.write_table(table, folder / f"data/texts/{text}.parquet")
    user, item, is_test = synthetic.purchases(n_users, n_items, synthetic.PURCHASES_PER_USER)
    day = is_test.astype(np.int32)
    section = interactions.RecInteractions(**load(ROOT / "studies/sample.yaml")["rec_interactions"])
    names = np.array([f"user {number:07}" for number in range(n_users)], dtype=object)
    known = interactions.number_items(prepared / "items.parquet")
    interactions.write(folder / "data/interactions", known, names, interactions.Purchases(user, item, day), section)
    params = (ROOT / "studies/sample.yaml").read_text(encoding="utf-8")
    axes = {
        "catalogues": [],
        "texts": list(TEXTS),
        "recommenders": [],
        "image_features": [],
        "text_features": ["words"],
    }
    lines = [f"{name}: [{', '.join(values)}]" for name, values in axes.items()]
    (folder / "params.yaml").write_text(
        "\n".join([params[: params.index("\ncatalogues:")], *lines, ""]), encoding="utf-8"
    )


def write_lists(folder: Path, n_users: int, runs: int) -> None:
    """Write random lists of every user, for each text and run."""
    random = np.random.default_rng(4)
    user = np.repeat(np.arange(n_users, dtype=np.int32), DEPTH)
    rank = np.tile(np.arange(1, DEPTH + 1, dtype=np.int32), n_users)
    candidates = pa.DictionaryArray.from_arrays(np.zeros(len(user), np.int8), ["original"])
    for text in TEXTS:
        path = folder / f"data/recommendations/{text}/vbpr-words.parquet"
        path.parent.mkdir(parents=True)
        writer = None
        for run in range(runs):
            item = (random.integers(0, 500, (n_users, 1)) + 7 * np.arange(DEPTH)).ravel().astype(np.int32)
            columns = {"candidates": candidates, "run": np.full(len(user), run, np.int32), "user": user, "item": item}
            table = pa.table(columns | {"rank": rank})
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=1 << 20)
        writer.close()


def measure(folder: Path, n_users: int, runs: int) -> None:
    """Time scoring and comparison of so many users; write the study first if the folder has none."""
    if not (folder / "data").exists():
        synthetic.call_apart(write_study, folder, n_users)
        synthetic.call_apart(write_lists, folder, n_users, runs)
    print(f"{n_users:,} users, {len(TEXTS)} texts, {runs} runs")
    run_timed("rec_score", [sys.executable, "-m", "recsys.score"], folder)
    run_timed("compare, its part about recommendations", [sys.executable, "-c", COMPARE], folder)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Time rec_score and its part of compare.")
    parser.add_argument("--users", type=int, default=synthetic.HM[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the study is kept from one run to the next")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for users in (
            (arguments.users // 16, arguments.users // 4, arguments.users) if arguments.growth else (arguments.users,)
        ):
            measure((arguments.folder or Path(scratch)).resolve() / str(users), users, arguments.runs)


if __name__ == "__main__":
    main()
