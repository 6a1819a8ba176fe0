"""Purchases as a shop of H&M's size has them, for the benchmarks: 64 tastes, popularity with a long tail, histories of any length."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

HM = (1_362_281, 104_547)  # users, items
PURCHASES_PER_USER = 24.5
TASTES = 64
LONGEST = 500


def purchases(n_users: int, n_items: int, per_user: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct pairs in the order of the user: user, item (int32), and whether it is test: the last two of 4 or more.

    A user has one of 64 tastes, each a popularity of its own; histories are log-normal in length, 3 to 500.
    """
    random = np.random.default_rng(seed)
    head = n_items / 870  # flattens the head: H&M's most sold article is 50 thousand of 31.8 million rows
    fame = 1 / (head + np.arange(1, n_items + 1)) ** 0.8
    length = np.clip(np.round(random.lognormal(np.log(per_user) - 0.32, 0.8, n_users)), 3, LONGEST).astype(int)
    taste = random.integers(0, TASTES, n_users)
    number = random.permutation(n_items).astype(np.int32)
    keys = []
    for which in range(TASTES):
        weight = np.cumsum(fame * np.exp(0.8 * random.normal(size=n_items)))
        users = np.flatnonzero(taste == which)
        owner = np.repeat(users, length[users])
        item = number[np.searchsorted(weight, random.random(len(owner)) * weight[-1]).clip(0, n_items - 1)]
        keys.append(np.unique(owner * n_items + item))
    key = np.sort(np.concatenate(keys))
    user, item = (key // n_items).astype(np.int32), (key % n_items).astype(np.int32)
    counts = np.bincount(user, minlength=n_users)
    shuffled = np.lexsort((random.random(len(user), dtype=np.float32), user))
    item = item[shuffled]
    place = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
    return user, item, (place >= counts[user] - 2) & (counts[user] > 3)


def write(folder: Path, n_users: int, n_items: int, per_user: float) -> None:
    """`train.npz` and `test.npz`: (n_users, n_items) binary float32 CSR."""
    folder.mkdir(parents=True, exist_ok=True)
    user, item, is_test = purchases(n_users, n_items, per_user)
    for name, chosen in (("train", ~is_test), ("test", is_test)):
        ones = np.ones(int(chosen.sum()), dtype=np.float32)
        matrix = sp.csr_matrix((ones, (user[chosen], item[chosen])), shape=(n_users, n_items))
        matrix.sort_indices()
        sp.save_npz(folder / f"{name}.npz", matrix, compressed=False)


def peak_mb() -> float:
    """Of this process. (`getrusage` counts what the process that started it held.)"""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def apart(work: Callable[..., None], *arguments: Any) -> None:
    """Calls it in a process of its own: what it holds at most would count for every process that this one starts afterwards."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(work, *arguments).result()
