"""Models that were fitted without the arrivals, as files: factors of users and items, and what projects features."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import UserError
from recsys.arrivals.array_files import open_arrays, write_arrays
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors, ItemFactors

VALIDATION = "validation"  # the model that the validation arrivals were left out of, too
LEARNED = "learned."  # begins the names of what the recommender's `project` needs


def run_file(folder: Path, number: int) -> Path:
    """Return the file of run `number`."""
    return folder / f"run-{number}.safetensors"


def validation_file(folder: Path) -> Path:
    """Return the file of the model without the validation arrivals."""
    return folder / f"{VALIDATION}.safetensors"


def list_runs(folder: Path) -> list[int]:
    """Return the numbers of the runs in a folder of models, ascending."""
    return sorted(int(path.stem.removeprefix("run-")) for path in folder.glob("run-*.safetensors"))


def write_model(path: Path, factors: Factors, data: Dataset) -> None:
    """Write a fitted model, with the users and items of its rows (indices of data/interactions)."""
    arrays = {
        "users": data.users,
        "items": data.items,
        "user": factors.user,
        "item": factors.item,
        "bias": factors.bias,
    }
    arrays |= {LEARNED + name: factors.learned[name] for name in sorted(factors.learned)}
    write_arrays(path, arrays)


@dataclass(frozen=True)
class Model:
    """An open model; users are read in parts, as there may be many.

    Attributes:
        items: the factors of the items of the fit.
        learned: what the recommender's `project` needs.
        n_users: how many users there are.
    """

    items: ItemFactors
    learned: Mapping[str, np.ndarray]
    n_users: int
    _arrays: Any

    def read_users(self, rows: np.ndarray) -> np.ndarray:
        """Read the factors of some users: (len(rows), width) float32.

        Args:
            rows: ascending.
        """
        if not len(rows):
            return self._arrays.get_slice("user")[0:0]
        return self._arrays.get_slice("user")[int(rows[0]) : int(rows[-1]) + 1][rows - rows[0]]


@contextmanager
def open_model(path: Path, data: Dataset) -> Iterator[Model]:
    """Open a model of `write_model`.

    Args:
        path: the file.
        data: what it was fitted on.

    Raises:
        UserError: there is no such file, or it was fitted on other users or items.
    """
    with open_arrays(path) as arrays:
        for name, expected in (("users", data.users), ("items", data.items)):
            if not np.array_equal(arrays.get_tensor(name), expected):
                raise UserError(f"{path}: fitted on other {name} than data/interactions has; run `dvc repro`")
        learned = {
            name.removeprefix(LEARNED): arrays.get_tensor(name)
            for name in list(arrays.keys())
            if name.startswith(LEARNED)
        }
        items = ItemFactors(arrays.get_tensor("item"), arrays.get_tensor("bias"))
        yield Model(items, learned, len(data.users), arrays)
