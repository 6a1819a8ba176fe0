"""Compare two arms of one recommender by resampling users and runs: catalogues, masked texts, slices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds

from catalogue.descriptions.variants import CATALOGUE_OF, name_masked_text
from lookbook.comparison import significance
from lookbook.comparison.correction import Row
from lookbook.comparison.user_scores import Scores, find_evaluation, find_slices, read_users, slice_reader
from pipeline.core.errors import UserError
from pipeline.core.outputs import require

TEXT_PAIRS = [("augmented", "original"), ("augmented", "unfilled"), ("unfilled", "original")]
MASKED_PAIRS = [("ft", "pt"), ("ft", "none"), ("ft", "reference"), ("reference", "none")]
PAIRS_BY_SLICE = 2  # compared slice by slice: this many of the pairs above, the first ones


@dataclass(frozen=True)
class Axes:
    """What the study compares, and how."""

    catalogues: Sequence[str]
    texts: Sequence[str]
    plain: Sequence[str]  # recommenders that read no text
    texted: Sequence[str]  # recommenders that read texts
    draws: int
    seed: int


@dataclass(frozen=True)
class Pair:
    """One comparison: the row to complete, and the arms whose scores are a and b."""

    row: Row
    arm_a: str
    arm_b: str

    def is_by_slice(self, pairs: list[tuple[str, str]]) -> bool:
        """Return whether it is one of the pairs that are compared slice by slice."""
        return (self.row["a"], self.row["b"]) in pairs[:PAIRS_BY_SLICE]


def compare_catalogues(axes: Axes, scores: Path, cutoff: int) -> list[Row]:
    """Compare augmented, original and unfilled: a row per recommender and pair.

    Scores are those on the candidates and purchases in common; catalogues that were split and scored each alone are
    never tested pairwise.
    """
    if find_evaluation(scores) == "published":
        return []
    pairs = list(list_catalogue_pairs(axes, f"ndcg_{cutoff}_common"))
    return compare_pairs(pairs, axes, scores, partial(read_users, scores))


def compare_masked(axes: Axes, scores: Path, cutoff: int) -> list[Row]:
    """Compare the masked texts on the users who meet a masked item: a row per metric, recommender and pair."""
    masked = f"ndcg_masked_{cutoff}"
    pairs = [pair for metric in (masked, f"ndcg_{cutoff}") for pair in list_masked_pairs(axes, metric)]
    return compare_pairs(pairs, axes, scores, partial(read_users, scores, only=masked))


def compare_slices(axes: Axes, slices: Path, cutoff: int, evaluation: str) -> list[Row]:
    """Compare NDCG of parts of the test side (`recsys.scoring.slices`); no row is confirmatory.

    Only the first pairs of catalogues and of masked texts are compared, and only on slices that both arms have: texts
    that a captioner wrote are no slice of the catalogue `original`.
    """
    metric = f"ndcg_{cutoff}"
    pairs = [pair for pair in list_masked_pairs(axes, metric) if pair.is_by_slice(MASKED_PAIRS)]
    if evaluation == "common":
        by_text = [pair for pair in list_catalogue_pairs(axes, metric) if pair.is_by_slice(TEXT_PAIRS)]
        pairs += [pair for pair in by_text if pair.arm_a != pair.arm_b]
    rows, table = [], ds.dataset(require(slices))
    for name in find_slices(slices):
        changes = {"table": "slices", "slice": name, "confirmatory": False}
        parts = [Pair(pair.row | changes, pair.arm_a, pair.arm_b) for pair in pairs]
        rows += compare_pairs(parts, axes, slices, slice_reader(table, name, metric))
    return rows


def list_catalogue_pairs(axes: Axes, metric: str) -> Iterator[Pair]:
    """Yield the pairs of catalogues for recommenders without texts, and of their texts for the others."""
    for recommender in axes.plain:
        for a, b in TEXT_PAIRS[:2]:  # without texts, unfilled is augmented: their third comparison would be the first
            catalogue_a, catalogue_b = CATALOGUE_OF[a], CATALOGUE_OF[b]
            if {catalogue_a, catalogue_b} <= set(axes.catalogues):
                yield Pair(_new_row("catalogues", recommender, metric, a, b), catalogue_a, catalogue_b)
    for recommender in axes.texted:
        for a, b in TEXT_PAIRS:
            if {a, b} <= set(axes.texts):
                yield Pair(_new_row("catalogues", recommender, metric, a, b), a, b)


def list_masked_pairs(axes: Axes, metric: str) -> Iterator[Pair]:
    """Yield the pairs of masked texts that the study has, for recommenders that read texts."""
    for recommender in axes.texted:
        for a, b in MASKED_PAIRS:
            text_a, text_b = name_masked_text(a), name_masked_text(b)
            if {text_a, text_b} <= set(axes.texts):
                yield Pair(_new_row("masked", recommender, metric, a, b), text_a, text_b)


def compare_pairs(pairs: list[Pair], axes: Axes, path: Path, scores: Scores) -> list[Row]:
    """Compare the arms of each pair; comparisons over the same users share their draws.

    Args:
        pairs: The comparisons.
        axes: The number of draws and their seed.
        path: The file of the scores, for error messages.
        scores: Reads the scores of an arm.

    Returns:
        The complete rows; a pair is left out where one of its arms has no scores.

    Raises:
        UserError: Two arms have no user in common.
    """
    same_users: dict[bytes, list[tuple[Row, np.ndarray]]] = {}
    rows = []
    for pair in pairs:
        a, b = (_pivot_users(scores(arm, pair.row)) for arm in (pair.arm_a, pair.arm_b))
        if a.empty or b.empty:
            continue
        users, left, right = _align(a, b)
        if not len(left):
            raise UserError(
                f"{path}: {pair.row['recommender']}: {pair.arm_a} and {pair.arm_b} have no user in common; "
                "run `dvc repro rec_score`"
            )
        row = pair.row | _describe(left, right) | {"same_by_construction": pair.arm_a == pair.arm_b}
        rows.append(row)
        same_users.setdefault(users.tobytes(), []).append((row, left - right))
    for members in same_users.values():
        differences = [difference for _, difference in members]
        estimates = significance.paired_users_and_runs(differences, axes.draws, axes.seed)
        for (row, _), estimate in zip(members, estimates, strict=True):
            row |= estimate._asdict()
    return rows


def _new_row(table: str, recommender: str, metric: str, a: str, b: str) -> Row:
    confirmatory = table == "catalogues" or metric.startswith("ndcg_masked")
    return {"table": table, "recommender": recommender, "metric": metric, "a": a, "b": b, "confirmatory": confirmatory}


def _pivot_users(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row per user who has a value in every run (sorted), a column per run."""
    return scores.pivot(index="user", columns="run", values="value").dropna().sort_index()


def _align(a: pd.DataFrame, b: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the users of both arms, and the scores of each: (users,), (users, runs), (users, runs).

    Runs in common are paired by their number; an arm of one run is compared with every run of the other arm.
    """
    common = a.index.intersection(b.index)
    if a.shape[1] > 1 and b.shape[1] > 1:
        runs = a.columns.intersection(b.columns)
        a, b = a[runs], b[runs]
    return common.to_numpy(), a.loc[common].to_numpy(), b.loc[common].to_numpy()


def _describe(left: np.ndarray, right: np.ndarray) -> Row:
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
