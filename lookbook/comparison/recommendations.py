"""Two arms of one recommender against one another, users and runs resampled: catalogues, masked texts, slices.

Scores are read as they are needed: one metric of a recommender on an arm, or on all arms in one slice.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from catalogue.descriptions.variants import CATALOGUE_OF, name_masked_text
from lookbook.comparison import significance
from pipeline.core.errors import UserError
from pipeline.core.outputs import require

USER_SCORES = Path("data/scores/recommendations.parquet")
SLICE_SCORES = Path("data/scores/recommendation_slices.parquet")

TEXT_PAIRS = [("augmented", "original"), ("augmented", "unfilled"), ("unfilled", "original")]
MASKED_PAIRS = [("ft", "pt"), ("ft", "none"), ("ft", "reference"), ("reference", "none")]
SLICED = 2  # so many of either are compared slice by slice: the first

Row = dict[str, Any]
Scores = Callable[[str, Row], pd.DataFrame]  # an arm and a row -> user, run and value; empty where there is none


@dataclass(frozen=True)
class Axes:
    """What the study compares, and how."""

    catalogues: Sequence[str]
    texts: Sequence[str]
    plain: Sequence[str]  # recommenders that read no text
    texted: Sequence[str]  # those that do
    draws: int
    seed: int


@dataclass(frozen=True)
class Pair:
    """One comparison: the row to fill, and the arms whose scores are a and b."""

    row: Row
    arm_a: str
    arm_b: str

    def among(self, pairs: list[tuple[str, str]]) -> bool:
        """Whether it is one of those that are compared slice by slice."""
        return (self.row["a"], self.row["b"]) in pairs[:SLICED]


def cutoff_of(path: Path = USER_SCORES) -> int:
    """The largest cutoff: 12 where the scores have ndcg_5 and ndcg_12."""
    names = pq.read_schema(require(path)).names
    return max(int(name.removeprefix("ndcg_")) for name in names if re.fullmatch(r"ndcg_\d+", name))


def evaluation_of(path: Path = USER_SCORES) -> str:
    """`published` where each catalogue was split and scored alone, else `common`."""
    return "common" if any(name.endswith("_common") for name in pq.read_schema(require(path)).names) else "published"


def compare_catalogues(axes: Axes, cutoff: int) -> list[Row]:
    """Augmented, original and unfilled against one another: a row per recommender and pair.

    On the candidates and purchases in common; catalogues that were split and scored each alone are never tested pairwise.
    """
    if evaluation_of() == "published":
        return []
    return compared(list(catalogue_pairs(axes, f"ndcg_{cutoff}_common")), axes, of_all_users)


def compare_masked(axes: Axes, cutoff: int) -> list[Row]:
    """The masked texts against one another, on the users who meet a masked item: a row per metric, feature and pair."""
    masked = f"ndcg_masked_{cutoff}"
    pairs = [pair for metric in (masked, f"ndcg_{cutoff}") for pair in masked_pairs(axes, metric)]
    return compared(pairs, axes, partial(of_all_users, only=masked))


def compare_slices(axes: Axes, cutoff: int) -> list[Row]:
    """NDCG of parts of the test side (`recsys.scoring.slices`): the first pairs of catalogues and of masked texts; nothing is confirmatory.

    A slice that an arm does not have (texts that a captioner wrote, in the catalogue `original`) is not compared there.
    """
    metric = f"ndcg_{cutoff}"
    pairs = [pair for pair in masked_pairs(axes, metric) if pair.among(MASKED_PAIRS)]
    if evaluation_of() == "common":
        pairs += [pair for pair in catalogue_pairs(axes, metric) if pair.among(TEXT_PAIRS) and pair.arm_a != pair.arm_b]
    rows, table = [], ds.dataset(require(SLICE_SCORES))
    for name in slice_names():
        about = {"table": "slices", "slice": name, "confirmatory": False}
        parts = [Pair(pair.row | about, pair.arm_a, pair.arm_b) for pair in pairs]
        rows += compared(parts, axes, of_slice(table, name, metric))
    return rows


def catalogue_pairs(axes: Axes, metric: str) -> Iterator[Pair]:
    for recommender in axes.plain:
        for a, b in TEXT_PAIRS[:2]:  # without texts, unfilled is augmented: their third comparison would be the first
            catalogue_a, catalogue_b = CATALOGUE_OF[a], CATALOGUE_OF[b]
            if {catalogue_a, catalogue_b} <= set(axes.catalogues):
                yield Pair(_row("catalogues", recommender, metric, a, b), catalogue_a, catalogue_b)
    for recommender in axes.texted:
        for a, b in TEXT_PAIRS:
            if {a, b} <= set(axes.texts):
                yield Pair(_row("catalogues", recommender, metric, a, b), a, b)


def masked_pairs(axes: Axes, metric: str) -> Iterator[Pair]:
    for recommender in axes.texted:
        for a, b in MASKED_PAIRS:
            text_a, text_b = name_masked_text(a), name_masked_text(b)
            if {text_a, text_b} <= set(axes.texts):
                yield Pair(_row("masked", recommender, metric, a, b), text_a, text_b)


def compared(pairs: list[Pair], axes: Axes, scores: Scores) -> list[Row]:
    """The rows, filled; a pair of which an arm has no scores is left out. Comparisons over the same users share their draws.

    Raises:
        UserError: two arms have no user in common.
    """
    same_users: dict[bytes, list[tuple[Row, np.ndarray]]] = {}
    rows = []
    for pair in pairs:
        a, b = (_by_user(scores(arm, pair.row)) for arm in (pair.arm_a, pair.arm_b))
        if a.empty or b.empty:
            continue
        users, left, right = _paired(a, b)
        if not len(left):
            raise UserError(
                f"{USER_SCORES}: {pair.row['recommender']}: {pair.arm_a} and {pair.arm_b} have no user in common; "
                "run `dvc repro rec_score`"
            )
        row = pair.row | _described(left, right) | {"same_by_construction": pair.arm_a == pair.arm_b}
        rows.append(row)
        same_users.setdefault(users.tobytes(), []).append((row, left - right))
    for members in same_users.values():
        differences = [difference for _, difference in members]
        estimates = significance.paired_users_and_runs(differences, axes.draws, axes.seed)
        for (row, _), found in zip(members, estimates, strict=True):
            row |= found._asdict()
    return rows


def of_all_users(arm: str, row: Row, only: str | None = None) -> pd.DataFrame:
    """The scores of every user, or of those who have the metric `only`.

    Raises:
        UserError: there are none of this recommender on this arm.
    """
    recommender, metric = row["recommender"], row["metric"]
    wanted = [("arm", "==", arm), ("recommender", "==", recommender)]
    columns = list(dict.fromkeys(["user", "run", metric, only or metric]))
    scores = pq.read_table(require(USER_SCORES), columns=columns, filters=wanted).to_pandas()
    if scores.empty:
        raise UserError(f"{USER_SCORES}: no rows for {recommender} on {arm}; run `dvc repro rec_score`")
    kept = scores if only is None else scores[scores[only].notna()]
    return kept[["user", "run", metric]].set_axis(["user", "run", "value"], axis=1)


def of_slice(table: ds.Dataset, name: str, metric: str) -> Scores:
    """The scores of a slice, read a recommender at a time: all of them may be more than memory holds."""

    @lru_cache(maxsize=1)
    def by_arm(recommender: str) -> dict[str, pd.DataFrame]:
        wanted = (ds.field("slice") == name) & (ds.field("recommender") == recommender)
        rows = table.to_table(["arm", "user", "run", metric], filter=wanted).to_pandas()
        parts = rows.rename(columns={metric: "value"}).groupby("arm", sort=False)
        return {str(arm): part[["user", "run", "value"]] for arm, part in parts}

    none = pd.DataFrame(columns=["user", "run", "value"])
    return lambda arm, row: by_arm(row["recommender"]).get(arm, none)


def slice_names() -> list[str]:
    """In the order of the scores."""
    file = pq.ParquetFile(require(SLICE_SCORES), read_dictionary=["slice"])
    groups = (file.read_row_group(group, columns=["slice"])["slice"] for group in range(file.num_row_groups))
    return list(dict.fromkeys(str(name) for group in groups for name in group.unique().to_pylist()))


def _row(table: str, recommender: str, metric: str, a: str, b: str) -> Row:
    confirmatory = table == "catalogues" or metric.startswith("ndcg_masked")
    return {"table": table, "recommender": recommender, "metric": metric, "a": a, "b": b, "confirmatory": confirmatory}


def _by_user(scores: pd.DataFrame) -> pd.DataFrame:
    """A row per user who has a value in every run (sorted), a column per run."""
    return scores.pivot(index="user", columns="run", values="value").dropna().sort_index()


def _paired(a: pd.DataFrame, b: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The users of both, and (users, runs) of each; runs in common, or one run alone against every run of the other."""
    common = a.index.intersection(b.index)
    if a.shape[1] > 1 and b.shape[1] > 1:
        runs = a.columns.intersection(b.columns)
        a, b = a[runs], b[runs]
    return common.to_numpy(), a.loc[common].to_numpy(), b.loc[common].to_numpy()


def _described(left: np.ndarray, right: np.ndarray) -> Row:
    means_a, means_b = left.mean(axis=1), right.mean(axis=1)
    wins, ties, losses = significance.wins_ties_losses(means_a, means_b)
    return {
        "mean_a": float(means_a.mean()),
        "mean_b": float(means_b.mean()),
        "runs": max(left.shape[1], right.shape[1]),
        "n": len(left),
        "groups": len(left),
        "wins": wins,
        "ties": ties,
        "losses": losses,
    }
