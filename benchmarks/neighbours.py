"""python benchmarks/neighbours.py [--users 10000000] [--items 1000000] [--of 100000]: neighbours of some users of many.

Draws purchases, eight a user, and finds the 10 users nearest to each of 100,000, as UserKNN of `elliot` does. Prints
the seconds, the peak memory of that process and, beside it, what is computed: the purchases as they are read, what they
are copied to (of length 1, those that may be neighbours, and these by column), and the pointers of all blocks, which
`recsys.recommenders._neighbours` bounds. With blocks of 8,192 rows the pointers alone would take 4.9 GB.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import synthetic

sys.path.insert(0, str(Path(__file__).parents[1]))

from recsys.recommenders._neighbours import POINTER_BYTES, find_nearest

PER_USER = 8.0
THREADS = 2
NEIGHBOURS = 10
COPIES = 4  # of the purchases: as read, of length 1, those that may be neighbours, and these by column


def main() -> None:
    """Draw the purchases in a process of its own, then find the neighbours."""
    parser = argparse.ArgumentParser(description="Neighbours of some users of many.")
    parser.add_argument("--users", type=int, default=10_000_000)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--of", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        synthetic.call_apart(synthetic.write, Path(scratch), arguments.users, arguments.items, PER_USER)
        train = sp.load_npz(Path(scratch) / "train.npz")
    of = np.sort(np.random.default_rng(0).choice(arguments.users, min(arguments.of, arguments.users), replace=False))
    own = 8 * train.nnz + 4 * train.shape[0]
    started, cpu = time.perf_counter(), time.process_time()
    found = find_nearest(train, NEIGHBOURS, itself=True, threads=THREADS, of=of)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(f"{train.shape[0]:,} users × {train.shape[1]:,} items, {train.nnz:,} purchases; neighbours of {len(of):,}")
    print(f"{wall:,.0f} s, {cpu:,.0f} CPU s, {found.nnz:,} neighbours")
    computed = COPIES * own + POINTER_BYTES
    print(f"peak {synthetic.peak_mb() / 1024:.1f} GB; computed at most {computed / 2**30:.1f} GB beside Python itself")


if __name__ == "__main__":
    main()
