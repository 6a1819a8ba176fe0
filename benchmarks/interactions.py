"""python benchmarks/interactions.py [--rows N | --growth] [--folder F]: time purchases from CSV to train and test.

Writes a synthetic `transactions_train.csv` with H&M's columns and size (31,788,324 rows, 3.5 GB), which stays in F.
Then runs, each in a process of its own, what `catalogue_prepare` does to it (CSV to `purchases.parquet`) and the
whole of `rec_interactions` (to train, test and validation). Prints seconds and peak memory of both. `--growth` does
so at a sixteenth and a quarter of the rows and users, and at all.
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
import pyarrow.csv
import pyarrow.parquet as pq
import synthetic

ROOT = Path(__file__).parents[1]
ROWS = 31_788_324
DAYS = 734
FIRST_DAY = 17_794  # 2018-09-20
CHUNK = 1_000_000

PREPARE = """
import sys
from functools import partial
from pathlib import Path
import pandas as pd
from catalogue.preparation.purchases import write_purchases
from catalogue.readers import Raw, hm
from catalogue.readers.files import Folder
items = pd.read_parquet("data/prepared/items.parquet")
table = Path(sys.argv[1])
purchases = partial(hm.read_purchases, Folder(table.parent), table.name)
raw = Raw(Path("."), items, {}, lambda item: b"", purchases, lambda category: True, pd.DataFrame(), {})
print(write_purchases(Path("data/prepared/purchases.parquet"), raw, items))
"""


def write_transactions(path: Path, rows: int) -> None:
    """Write the CSV, sorted by day, of `synthetic.purchases`; article ids start at 0100000000."""
    share = rows / ROWS
    n_users, n_items = max(1000, int(synthetic.HM[0] * share)), synthetic.HM[1]
    user, item, _ = synthetic.purchases(n_users, n_items, synthetic.PURCHASES_PER_USER)
    random = np.random.default_rng(2)
    chosen = random.integers(len(user), size=rows) if len(user) < rows else random.permutation(len(user))[:rows]
    day = np.sort(random.integers(0, DAYS, rows)).astype(np.int32)
    raw = random.bytes(32 * n_users).hex()
    customers = pa.array([raw[64 * number : 64 * number + 64] for number in range(n_users)])
    articles = pa.array([f"{100_000_000 + number:010}" for number in range(n_items)])
    prices = pa.array([f"{price / 590:.17f}" for price in range(1, 30)])
    with path.open("wb") as out:
        out.write(b"t_dat,customer_id,article_id,price,sales_channel_id\n")
        for start in range(0, rows, CHUNK):
            part = chosen[start : start + CHUNK]
            table = pa.table(
                {
                    "t_dat": pa.array(day[start : start + CHUNK] + FIRST_DAY, pa.int32()).cast(pa.date32()),
                    "customer_id": customers.take(pa.array(user[part])),
                    "article_id": articles.take(pa.array(item[part])),
                    "price": prices.take(pa.array(part % len(prices))),
                    "sales_channel_id": pa.array(part % 2 + 1),
                }
            )
            options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
            pyarrow.csv.write_csv(table, out, options)


def write_items(path: Path) -> None:
    """Write the part of items.parquet that the stages read."""
    ids = [f"{100_000_000 + number:010}" for number in range(synthetic.HM[1])]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"item_id": ids, "original": np.arange(len(ids)) % 250 > 0}), path)


def run_timed(name: str, command: list[str], folder: Path) -> None:
    """Run the command in the folder, and print its seconds and memory."""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=folder, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"error: {name} ended with status {os.waitstatus_to_exitcode(status)}")
    wall, cpu = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    print(f"{name:44}{wall:9.1f} s wall{cpu:9.1f} s CPU{usage.ru_maxrss / 1024:9.0f} MB peak", flush=True)


def measure(folder: Path, rows: int) -> None:
    """Run both stages on so many rows, in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    transactions = folder / "transactions_train.csv"
    if not transactions.exists():
        synthetic.call_apart(write_transactions, transactions, rows)
    write_items(folder / "data/prepared/items.parquet")
    (folder / "params.yaml").write_bytes((ROOT / "studies/sample.yaml").read_bytes())
    print(f"{rows:,} rows, {transactions.stat().st_size / 1e9:.2f} GB")
    run_timed("catalogue_prepare: CSV to purchases.parquet", [sys.executable, "-c", PREPARE, str(transactions)], folder)
    run_timed("rec_interactions", [sys.executable, "-m", "recsys.interactions"], folder)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="From transactions_train.csv to data/interactions/.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the CSV is kept from one run to the next")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for rows in (
            (arguments.rows // 16, arguments.rows // 4, arguments.rows) if arguments.growth else (arguments.rows,)
        ):
            measure((arguments.folder or Path(scratch)).resolve() / str(rows), rows)


if __name__ == "__main__":
    main()
