"""Which customers a page offers: those of a slice of the study, and those that have a list, drawn by a number."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from lookbook.views.people import Ranking, find_list_file
from lookbook.views.study import RANKED, USER_SLICES, Study


@lru_cache(maxsize=1)
def _read_slices(path: Path, version: int) -> dict[str, pl.Series]:  # a new version is a new key
    table = pl.scan_parquet(path).select(pl.col("slice").cast(pl.String), "user").unique().collect()
    parts = table.sort("user").partition_by("slice", as_dict=True, include_key=False, maintain_order=True)
    return {str(key[0]): part["user"] for key, part in parts.items()}


def list_slices(study: Study) -> list[str]:
    """List the slices of customers that `rec_score` scores, sorted; empty before it has run."""
    return sorted(_read_all(study))


def read_slice(study: Study, name: str) -> pl.Series:
    """Return the numbers of the customers of a slice, ascending; none where there is no such slice.

    A slice of items holds the customers who bought one of them in test.
    """
    return _read_all(study).get(name, pl.Series("user", [], dtype=pl.Int32))


def _read_all(study: Study) -> dict[str, pl.Series]:
    path = study.root / USER_SLICES
    return _read_slices(path, path.stat().st_mtime_ns) if path.is_file() else {}


def list_listed(study: Study, ranking: Ranking) -> pl.Series:
    """Return the numbers of the customers who have a list of a ranking, ascending."""
    if ranking.experiment == "arrivals":
        path = study.root / RANKED / ranking.recommender / "users.parquet"
    else:
        path = find_list_file(study, ranking)
    return pl.scan_parquet(path).select(pl.col("user").unique()).collect()["user"].sort()


def draw_user(users: pl.Series, number: int) -> int | None:
    """Draw a customer at random: the same number draws the same one; None where there is none.

    >>> draw_user(pl.Series("user", [4, 7]), 1) == draw_user(pl.Series("user", [4, 7]), 1)
    True
    """
    return int(users[int(np.random.default_rng(number).integers(len(users)))]) if len(users) else None
