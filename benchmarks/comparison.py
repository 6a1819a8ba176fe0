"""python benchmarks/comparison.py [--users 1362281] [--runs 5] [--folder F]: scoring and comparing at H&M's size.

Purchases are those of `synthetic.py`, split by `rec_interactions`. Lists of 12 items are drawn at random for three
texts (masked-ft, masked-pt, masked-none) in as many runs as a study makes. Prints seconds and peak memory of
`rec_score`, and of the comparison of the texts, for all users and by slice, over products, users and runs.
`--growth`: for a sixteenth and a quarter of the users, and for all.
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

TEXTS = ("masked-ft", "masked-pt", "masked-none")
LIST_LENGTH = 12
GARMENTS = 2  # of a product


def write_study(folder: Path, n_users: int) -> None:
    """Write what `rec_score` reads, but for the lists."""
    from pipeline.core.params import load
    from recsys.purchases.division import write_interactions
    from recsys.purchases.reading import read_items
    from recsys.purchases.settings import RecInteractions
    from recsys.purchases.splits import Purchases

    n_items = synthetic.HM[1]
    ids = [f"{100_000_000 + number:010}" for number in range(n_items)]
    random = np.random.default_rng(3)
    split = random.choice(["train", "validation", "test"], n_items, p=[0.7, 0.1, 0.2])
    category = random.choice([f"kind {number:02}" for number in range(40)], n_items)
    items = {"item_id": ids, "original": np.ones(n_items, bool), "product_code": [item[:9] for item in ids]}
    items["group"] = np.arange(n_items) // GARMENTS
    prepared = folder / "data/prepared"
    prepared.mkdir(parents=True)
    pq.write_table(pa.table(items | {"category": category, "split": split}), prepared / "items.parquet")
    (folder / "data/texts").mkdir()
    for text in TEXTS:
        source = np.where(split == "test", text.removeprefix("masked-"), "own")
        table = pa.table({"item_id": ids, "masked": split == "test", "source": source})
        pq.write_table(table, folder / f"data/texts/{text}.parquet")
    user, item, is_test = synthetic.purchases(n_users, n_items, synthetic.PURCHASES_PER_USER)
    day = is_test.astype(np.int32)
    section = RecInteractions(**load(ROOT / "studies/sample.yaml")["rec_interactions"])
    names = np.array([f"user {number:07}" for number in range(n_users)], dtype=object)
    known = read_items(prepared / "items.parquet")
    write_interactions(folder / "data/interactions", known, names, Purchases(user, item, day), section)
    params = (ROOT / "studies/sample.yaml").read_text(encoding="utf-8")
    axes = {
        "catalogues": [],
        "texts": list(TEXTS),
        "recommenders": [],
        "content_recommenders": ["vbpr"],
        "image_features": [],
        "text_features": ["words"],
    }
    lines = [f"{name}: [{', '.join(values)}]" for name, values in axes.items()]
    (folder / "params.yaml").write_text(
        "\n".join([params[: params.index("\ncatalogues:")], *lines, ""]), encoding="utf-8"
    )


def write_lists(folder: Path, n_users: int, runs: int) -> None:
    """Write lists of random items for each text."""
    random = np.random.default_rng(4)
    user = np.repeat(np.arange(n_users, dtype=np.int32), LIST_LENGTH)
    rank = np.tile(np.arange(1, LIST_LENGTH + 1, dtype=np.int32), n_users)
    candidates = pa.DictionaryArray.from_arrays(np.zeros(len(user), np.int8), ["original"])

    def draw_run(run: int) -> pa.Table:
        item = (random.integers(0, 500, (n_users, 1)) + 7 * np.arange(LIST_LENGTH)).ravel().astype(np.int32)
        columns = {"candidates": candidates, "run": np.full(len(user), run, np.int32), "user": user, "item": item}
        return pa.table(columns | {"rank": rank})

    for text in TEXTS:
        path = folder / f"data/recommendations/{text}/vbpr-words.parquet"
        path.parent.mkdir(parents=True)
        first = draw_run(0)
        with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
            writer.write_table(first, row_group_size=1 << 20)
            for run in range(1, runs):
                writer.write_table(draw_run(run), row_group_size=1 << 20)


def compare_texts(folder: Path) -> None:
    """Compare the texts by the scores that `rec_score` wrote, and print how many comparisons there are."""
    from lookbook.comparison.recommendations import Axes, Tables, compare_masked, compare_slices
    from lookbook.comparison.user_scores import find_evaluation, read_products

    product = read_products(folder / "data/prepared/items.parquet", folder / "data/interactions")
    scores, items = folder / "data/scores", folder / "data/scores/recommendation_items.parquet"
    users, slices = (
        Tables(scores / f"{name}.parquet", scores / f"{hits}.parquet", items, product)
        for name, hits in (
            ("recommendations", "recommendation_hits"),
            ("recommendation_slices", "recommendation_slice_hits"),
        )
    )
    axes = Axes([], TEXTS, [], ["vbpr-words"])
    rows = compare_masked(axes, users, LIST_LENGTH)
    rows += compare_slices(axes, slices, LIST_LENGTH, find_evaluation(users.scores))
    print(f"{len(rows)} comparisons, the largest of {max(row['n'] for row in rows):,} users")


def measure(folder: Path, n_users: int, runs: int) -> None:
    """Run both on so many users, in this folder."""
    if not (folder / "data").exists():
        synthetic.call_apart(write_study, folder, n_users)
        synthetic.call_apart(write_lists, folder, n_users, runs)
    print(f"{n_users:,} users, {len(TEXTS)} texts, {runs} runs", flush=True)
    run_timed("rec_score", [sys.executable, "-m", "recsys.score"], folder)
    run_timed(
        "compare, its part about recommendations", [sys.executable, str(Path(__file__).resolve()), "--compare"], folder
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Lists of everyone scored, and texts compared.")
    parser.add_argument("--users", type=int, default=synthetic.HM[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the study is kept from one run to the next")
    parser.add_argument("--compare", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.compare:
        compare_texts(Path())
        return
    with tempfile.TemporaryDirectory() as scratch:
        for share in (16, 4, 1) if arguments.growth else (1,):
            users = arguments.users // share
            measure((arguments.folder or Path(scratch)).resolve() / str(users), users, arguments.runs)


if __name__ == "__main__":
    main()
