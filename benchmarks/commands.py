"""python benchmarks/commands.py [--small] [--models mostpop,itemknn] [--folder F]: time commands at H&M's size.

Runs `lookbook recommend` and `lookbook evaluate` on TSV files as Elliot writes them: 1,362,281 users, 104,547 items,
30 million train pairs, lists of 12. `--small` takes a sixteenth of the users and items. Each command runs in a
process of its own with 2 threads, reading and writing included. Prints CPU seconds, wall seconds and peak memory of
each. No peer reads such files and writes such lists at this size. `benchmarks/knn.py` compares fits and rankings with
implicit.
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
from synthetic import HM, PURCHASES_PER_USER, call_apart, purchases


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--models", default="mostpop,itemknn")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        users, items = (size // 16 for size in HM) if arguments.small else HM
        if not (folder / "train.tsv").exists():
            call_apart(write, folder, users, items)
        print(f"{users:,} users, {items:,} items\n{'command':<28}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
        for model in arguments.models.split(","):
            lists = folder / f"{model}.tsv"
            train = ("--train", folder / "train.tsv")
            run_command(f"recommend {model}", "recommend", "--model", model, *train, "--out", lists, "--threads", 2)
            run_command(f"evaluate {model}", "evaluate", *train, "--test", folder / "test.tsv", "--recs", lists)


def write(folder: Path, n_users: int, n_items: int) -> None:
    """Write `train.tsv` and `test.tsv`: user, item, 1, seconds since 1970."""
    folder.mkdir(parents=True, exist_ok=True)
    user, item, is_test = purchases(n_users, n_items, PURCHASES_PER_USER)
    for name, chosen in (("train", ~is_test), ("test", is_test)):
        n = int(chosen.sum())
        table = pa.table(
            [user[chosen], item[chosen], np.ones(n, np.int8), np.full(n, 1_577_836_800)], names=list("uirt")
        )
        csv.write_csv(table, folder / f"{name}.tsv", csv.WriteOptions(delimiter="\t", include_header=False))


def run_command(what: str, *arguments: object) -> None:
    """Run a `lookbook` command and print its seconds and memory.

    Raises:
        SystemExit: the command failed.
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
