"""Draw purchases like those of a shop of H&M's size: tastes, popularity with a long tail, histories of any length."""

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
    """Draw distinct pairs, sorted by user: user, item (int32), and whether the pair is test.

    A user has one of 64 tastes, each with a popularity of its own. Histories are log-normal in length, 3 to 500 items.
    The last two items of a user who has at least 4 are test.
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
    rank = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
    return user, item, (rank >= counts[user] - 2) & (counts[user] > 3)


def write(folder: Path, n_users: int, n_items: int, per_user: float) -> None:
    """Write `train.npz` and `test.npz`: (n_users, n_items) binary float32 CSR."""
    folder.mkdir(parents=True, exist_ok=True)
    user, item, is_test = purchases(n_users, n_items, per_user)
    for name, chosen in (("train", ~is_test), ("test", is_test)):
        ones = np.ones(int(chosen.sum()), dtype=np.float32)
        matrix = sp.csr_matrix((ones, (user[chosen], item[chosen])), shape=(n_users, n_items))
        matrix.sort_indices()
        sp.save_npz(folder / f"{name}.npz", matrix, compressed=False)


def peak_mb() -> float:
    """Return the peak memory of this process; `getrusage` would count that of the process that started it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def call_apart(work: Callable[..., None], *arguments: Any) -> None:
    """Call a function in a process of its own: its peak memory would count for every process started afterwards."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(work, *arguments).result()
