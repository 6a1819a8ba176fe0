"""Scores of recommendations per user, read in parts: all of them may be more than memory holds.

`path` is a Parquet file of one row per arm, recommender, run and user (and slice); a column per metric. The hits that
scores are made of are in files of one row per hit.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from catalogue.prepared.items import read_items
from lookbook.comparison.contributions import Hits
from lookbook.comparison.rows import Row
from pipeline.core.errors import UserError, first_five
from pipeline.core.outputs import read_parquet, require

COLUMNS = ["user", "run", "value"]

ReadHits = Callable[[str, Row], Hits]  # an arm and a row -> the hits that its scores are made of
ReadScores = Callable[[str, Row], pd.DataFrame]  # an arm and a row -> user, run and value; empty where there is none


def find_cutoff(path: Path) -> int | None:
    """Return the largest cutoff of NDCG in the scores, 12 where they have ndcg_5 and ndcg_12; None of no lists."""
    names = pq.read_schema(require(path)).names
    return max((int(name.removeprefix("ndcg_")) for name in names if re.fullmatch(r"ndcg_\d+", name)), default=None)


def find_evaluation(path: Path) -> str:
    """Return `published` where each catalogue was split and scored alone, else `common`."""
    return "common" if any(name.endswith("_common") for name in pq.read_schema(require(path)).names) else "published"


def find_slices(path: Path) -> list[str]:
    """Return the names of the slices, in the order of the scores."""
    file = pq.ParquetFile(require(path), read_dictionary=["slice"])
    groups = (file.read_row_group(group, columns=["slice"])["slice"] for group in range(file.num_row_groups))
    return list(dict.fromkeys(str(name) for group in groups for name in group.unique().to_pylist()))


def read_users(path: Path, arm: str, row: Row, only: str | None = None) -> pd.DataFrame:
    """Read the scores of an arm, for the recommender and metric of a row.

    Args:
        path: The scores per user.
        arm: A catalogue or a text.
        row: The comparison that the scores are for.
        only: Leave out users who have no value of this metric.

    Raises:
        UserError: There are no scores of this recommender on this arm.
    """
    recommender, metric = row["recommender"], row["metric"]
    columns = list(dict.fromkeys(["user", "run", metric, only or metric]))
    filters = [("arm", "==", arm), ("recommender", "==", recommender)]
    scores = pq.read_table(require(path), columns=columns, filters=filters).to_pandas()
    if scores.empty:
        raise UserError(f"{path}: no rows for {recommender} on {arm}; run `dvc repro rec_score`")
    if only is not None:
        scores = scores[scores[only].notna()]
    return scores[["user", "run", metric]].set_axis(COLUMNS, axis=1)


def slice_reader(table: ds.Dataset, name: str, metric: str) -> ReadScores:
    """Return a function that reads the scores of one slice; it keeps those of the last recommender in memory."""

    @lru_cache(maxsize=1)
    def read_recommender(recommender: str) -> dict[str, pd.DataFrame]:
        rows_of_slice = (ds.field("slice") == name) & (ds.field("recommender") == recommender)
        rows = table.to_table(["arm", "user", "run", metric], filter=rows_of_slice).to_pandas()
        parts = rows.rename(columns={metric: "value"}).groupby("arm", sort=False)
        return {str(arm): part[COLUMNS] for arm, part in parts}

    empty = pd.DataFrame(columns=COLUMNS)
    return lambda arm, row: read_recommender(row["recommender"]).get(arm, empty)


def read_hits(path: Path, arm: str, row: Row) -> Hits:
    """Read the hits of an arm's lists that make the metric of a row."""
    labels = {"arm": arm, "recommender": row["recommender"], "metric": row["metric"]}
    filters = [(name, "==", value) for name, value in labels.items()]
    table = pq.read_table(require(path), columns=list(Hits._fields), filters=filters)
    return Hits(*(table[name].to_numpy() for name in Hits._fields))


def hit_reader(table: ds.Dataset, name: str) -> ReadHits:
    """Return a function that reads the hits of one slice."""

    def read_slice(arm: str, row: Row) -> Hits:
        labels = {"slice": name, "arm": arm, "recommender": row["recommender"]}
        hits_of_arm = [ds.field(label) == value for label, value in labels.items()]
        rows = table.to_table(list(Hits._fields), filter=hits_of_arm[0] & hits_of_arm[1] & hits_of_arm[2])
        return Hits(*(rows[field].to_numpy() for field in Hits._fields))

    return read_slice


def read_products(items: Path, interactions: Path) -> np.ndarray:
    """Read the product of each item of the interactions, numbers from 0: (n_items,).

    Args:
        items: data/prepared/items.parquet.
        interactions: data/interactions, whose items.parquet gives the order.

    Raises:
        UserError: An item is not among the prepared ones.
    """
    ids = read_parquet(interactions / "items.parquet")["item_id"].astype(str)
    groups = read_items(items, ["item_id", "group"]).set_index("item_id")["group"].reindex(ids)
    if groups.isna().any():
        raise UserError(
            f"{items}: no product of {int(groups.isna().sum())} items of {interactions}, first "
            f"{first_five(list(groups.index[groups.isna()]))}; run `dvc repro rec_interactions`"
        )
    return np.unique(groups.to_numpy(), return_inverse=True)[1]
