"""The rows of metrics/comparison.json: one list in which all rows have the same keys, because DVC plots no other."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.core.outputs import read_json

Row = dict[str, Any]  # a comparison

TABLES = ("captions", "catalogues", "masked", "slices", "arrivals", "prediction")
OF_SOME_TABLES = (  # null in the other tables
    *("captioner", "recommender", "slice", "runs", "same_by_construction"),
    *("groups", "products", "hit_items", "top10_share"),  # of items' captions; of recommendations
    *("recommender_b", "draws", "draw_users", "family", "claimed", "equivalent", "validation_ndcg"),  # of arrivals
    *("scope", "statistic", "value", "score"),  # of prediction
    *("mean_a", "mean_b"),  # of all others
)
PLOTTED = ("score", "value", "mean_a", "mean_b")  # in a plot of dvc.yaml, and in the rows of some studies only


def flatten_tables(tables: dict[str, list[Row]]) -> list[Row]:
    """Join the tables; keys that a table does not have are added with null.

    Those of `PLOTTED` are there in every study: DVC takes a plot of a key that no row has for an error.
    """
    rows = [row for table in TABLES for row in tables.get(table, [])]
    keys = dict.fromkeys([*(key for row in rows for key in row), *PLOTTED])
    return [row | {key: None for key in keys if key not in row} for row in rows]


def group_rows(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each table, without the keys that the table does not have: the inverse of `flatten_tables`."""
    tables: dict[str, list[Row]] = {table: [] for table in TABLES}
    for row in rows:
        own = {key: value for key, value in row.items() if value is not None or key not in OF_SOME_TABLES}
        tables[row["table"]].append(own)
    return tables


def read_comparison(path: Path) -> dict[str, Any]:
    """Read metrics/comparison.json: a key per table, and how the tables were computed.

    Raises:
        UserError: The stage `compare` has not written it yet.
    """
    comparison = read_json(path)
    rows = comparison.pop("rows")
    return comparison | group_rows(rows)
