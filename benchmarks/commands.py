"""python benchmarks/commands.py [--small] [--models mostpop,itemknn] [--folder F]: the commands for anyone's data, at H&M's size.

`lookbook recommend` and `lookbook evaluate` on TSV files as Elliot writes them: 1,362,281 users, 104,547 items, 30 million train
pairs (`--small`: a sixteenth of the users and items), lists of 12. Each command is a process of its own, 2 threads, reading and
writing included. Prints CPU seconds, wall seconds and peak memory of each. No peer reads such files and writes such lists at
this size; fits and rankings against implicit: `benchmarks/knn.py`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

sys.path.insert(0, str(Path(__file__).parent))
from synthetic import HM, PURCHASES_PER_USER, apart, purchases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--models", default="mostpop,itemknn")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        users, items = (size // 16 for size in HM) if given.small else HM
        if not (folder / "train.tsv").exists():
            apart(write, folder, users, items)
        print(f"{users:,} users, {items:,} items\n{'command':<28}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
        for model in given.models.split(","):
            lists = folder / f"{model}.tsv"
            measured(
                f"recommend {model}",
                "recommend",
                "--train",
                folder / "train.tsv",
                "--model",
                model,
                "--out",
                lists,
                "--threads",
                2,
            )
            files = ("--train", folder / "train.tsv", "--test", folder / "test.tsv", "--recs", lists)
            measured(f"evaluate {model}", "evaluate", *files)


def write(folder: Path, n_users: int, n_items: int) -> None:
    """`train.tsv` and `test.tsv`: user, item, 1, seconds since 1970."""
    folder.mkdir(parents=True, exist_ok=True)
    user, item, is_test = purchases(n_users, n_items, PURCHASES_PER_USER)
    for name, chosen in (("train", ~is_test), ("test", is_test)):
        n = int(chosen.sum())
        table = pa.table(
            [user[chosen], item[chosen], np.ones(n, np.int8), np.full(n, 1_577_836_800)], names=list("uirt")
        )
        csv.write_csv(table, folder / f"{name}.tsv", csv.WriteOptions(delimiter="\t", include_header=False))


def measured(what: str, *arguments: object) -> None:
    """Runs one command and prints what it took.

    Raises:
        SystemExit: it failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lookbook.cli.main", *map(str, arguments)], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"error: {what} ended with status {status}")
    print(f"{what:<28}{usage.ru_utime + usage.ru_stime:>8.1f}{wall:>8.1f}{usage.ru_maxrss / 1024:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
