"""Reading tests/golden/elliot: data, lists and metrics of Elliot 0.3.1."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

GOLDEN = Path(__file__).parent.parent / "golden" / "elliot"


@dataclass(frozen=True)
class Reference:
    """A model of Elliot on a data set; rows and columns are in Elliot's internal order of users and items."""

    users: pd.Index
    items: pd.Index  # the candidates: items of train
    lists: dict[int, list[int]]  # user → items, best first, without the padding by seen items at score −inf
    folder: Path
    data: str
    model: str

    def train(self) -> sp.csr_matrix:
        """Return the ratings of train: (n_users, n_items)."""
        table = _pairs(self.data, "train")
        return _matrix(
            self.users.get_indexer(table["user"]),
            self.items.get_indexer(table["item"]),
            table["rating"],
            len(self.users),
            len(self.items),
        )

    def test(self) -> tuple[sp.csr_matrix, pd.Index]:
        """Return the gains 2^(rating + 1) − 1 of the train users' test items, and the items of the columns.

        The candidates come first, then the items that only test has.
        """
        table = _pairs(self.data, "test")
        table = table[table["user"].isin(self.users)]
        items = self.items.append(pd.Index(sorted(set(table["item"]) - set(self.items))))
        gains = 2.0 ** (table["rating"] + 1) - 1
        return _matrix(
            self.users.get_indexer(table["user"]), items.get_indexer(table["item"]), gains, len(self.users), len(items)
        ), items

    def metrics(self) -> dict[str, dict[str, float]]:
        """Return the figures that Elliot printed: cutoff → name → value, and `users`."""
        values = json.loads((self.folder / f"{self.model}.metrics.json").read_text())
        return values["test"] | {"users": values["n_users_test"]}


def read(kind: str, data: str, model: str) -> Reference:
    """Read the lists of a model: `kind` and `data` are folders of the golden files."""
    folder = GOLDEN / kind / data
    order = json.loads((folder / f"{model}.order.json").read_text())
    table = pd.read_csv(folder / f"{model}.recs.tsv.gz", sep="\t", names=["user", "item", "score", "rank"])
    table = table[np.isfinite(table["score"])].sort_values("rank", kind="stable")
    lists = {user: rows.tolist() for user, rows in table.groupby("user")["item"]}
    return Reference(pd.Index(order["users"]), pd.Index(order["items"]), lists, folder, data, model)


def models(kind: str, data: str) -> list[str]:
    """Return the models that a folder has lists of."""
    return sorted(path.name.removesuffix(".order.json") for path in (GOLDEN / kind / data).glob("*.order.json"))


def _pairs(data: str, part: str) -> pd.DataFrame:
    (path,) = (GOLDEN / "data" / data).glob(f"{part}.tsv*")
    return pd.read_csv(path, sep="\t", names=["user", "item", "rating", "time"])


def _matrix(user: np.ndarray, item: np.ndarray, value: pd.Series, n_users: int, n_items: int) -> sp.csr_matrix:
    matrix = sp.csr_matrix((value.to_numpy(np.float64), (user, item)), shape=(n_users, n_items))
    matrix.sort_indices()
    return matrix
