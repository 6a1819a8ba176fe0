"""Compare two arms of one recommender where items keep their purchases: catalogues, masked texts, slices.

Every row has an interval over products, users and runs (`lookbook.comparison.clusters`) and no p: the one test of a
study is among the arrivals. The product is that of the garment also where no text is read, as in the lists of kNN: its
garments share their buyers, and what a catalogue adds to them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds

from catalogue.descriptions.variants import CATALOGUE_OF, name_masked_text
from lookbook.comparison.clusters import estimate_difference
from lookbook.comparison.contributions import compare_hits, pair_runs
from lookbook.comparison.rows import Row
from lookbook.comparison.significance import wins_ties_losses
from lookbook.comparison.user_scores import (
    ReadHits,
    ReadScores,
    find_evaluation,
    find_slices,
    hit_reader,
    read_hits,
    read_users,
    slice_reader,
)
from pipeline.core.errors import UserError
from pipeline.core.outputs import read_parquet, require
from recsys.scoring.arms import BUYERS

TEXT_PAIRS = [("augmented", "original"), ("augmented", "unfilled"), ("unfilled", "original")]
MASKED_PAIRS = [("ft", "pt"), ("ft", "none"), ("ft", "reference"), ("reference", "none")]
ROUNDING = 1e-9  # of a mean of NDCG
PAIRS_BY_SLICE = 2  # compared slice by slice: this many of the pairs above, the first ones


@dataclass(frozen=True)
class Axes:
    """What the study compares, and how."""

    catalogues: Sequence[str]
    texts: Sequence[str]
    plain: Sequence[str]  # recommenders that read no text
    texted: Sequence[str]  # recommenders that read texts


@dataclass(frozen=True)
class Tables:
    """Where the scores of users or of slices are, and the hits that they are made of.

    Attributes:
        scores: A Parquet file of one row per arm, recommender, run and user (and slice).
        hits: A Parquet file of one row per hit.
        items: A Parquet file of the items that can be hit, by catalogue and metric or slice.
        product: (n_items,) the product of each item, numbers from 0.
    """

    scores: Path
    hits: Path
    items: Path
    product: np.ndarray

    def count_products(self, pair: "Pair") -> int:
        """Count the products that the lists of a pair can hit."""
        catalogues = {CATALOGUE_OF.get(arm, arm) for arm in (pair.arm_a, pair.arm_b)}
        part = str(pair.row.get("slice") or pair.row["metric"])
        chosen = self._items["part"].eq(part) & self._items["catalogue"].isin(catalogues)
        return len(np.unique(self.product[self._items.loc[chosen, "item"]]))

    @cached_property
    def _items(self) -> pd.DataFrame:
        return read_parquet(self.items).astype({"catalogue": "category", "part": "category"})


@dataclass(frozen=True)
class Pair:
    """One comparison: the row to complete, and the arms whose scores are a and b."""

    row: Row
    arm_a: str
    arm_b: str

    def is_by_slice(self, pairs: list[tuple[str, str]]) -> bool:
        """Return whether it is one of the pairs that are compared slice by slice."""
        return (self.row["a"], self.row["b"]) in pairs[:PAIRS_BY_SLICE]


def compare_catalogues(axes: Axes, tables: Tables, cutoff: int) -> list[Row]:
    """Compare augmented, original and unfilled: a row per recommender and pair.

    Scores are those on the candidates and purchases in common; catalogues that were split and scored each alone are
    never compared pairwise.
    """
    if find_evaluation(tables.scores) == "published":
        return []
    pairs = list(list_catalogue_pairs(axes, f"ndcg_{cutoff}_common"))
    return compare_pairs(pairs, tables, partial(read_users, tables.scores), partial(read_hits, tables.hits))


def compare_masked(axes: Axes, tables: Tables, cutoff: int) -> list[Row]:
    """Compare the masked texts on the users who meet a masked item: a row per metric, recommender and pair."""
    masked = f"ndcg_masked_{cutoff}"
    pairs = [pair for metric in (masked, f"ndcg_{cutoff}") for pair in list_masked_pairs(axes, metric)]
    scores = partial(read_users, tables.scores, only=masked)
    return compare_pairs(pairs, tables, scores, partial(read_hits, tables.hits))


def compare_slices(axes: Axes, tables: Tables, cutoff: int, evaluation: str) -> list[Row]:
    """Compare NDCG of parts of the test side (`recsys.scoring.slices`).

    Only the first pairs of catalogues and of masked texts are compared, and only on slices that both arms have: texts
    that a captioner wrote are no slice of the catalogue `original`. Slices by number of buyers are drawn, not compared.
    """
    metric = f"ndcg_{cutoff}"
    pairs = [pair for pair in list_masked_pairs(axes, metric) if pair.is_by_slice(MASKED_PAIRS)]
    if evaluation == "common":
        by_text = [pair for pair in list_catalogue_pairs(axes, metric) if pair.is_by_slice(TEXT_PAIRS)]
        pairs += [pair for pair in by_text if pair.arm_a != pair.arm_b]
    rows, scores, hits = [], ds.dataset(require(tables.scores)), ds.dataset(require(tables.hits))
    for name in find_slices(tables.scores):
        if name.startswith(BUYERS):
            continue
        parts = [Pair(pair.row | {"table": "slices", "slice": name}, pair.arm_a, pair.arm_b) for pair in pairs]
        rows += compare_pairs(parts, tables, slice_reader(scores, name, metric), hit_reader(hits, name))
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


def compare_pairs(pairs: list[Pair], tables: Tables, scores: ReadScores, hits: ReadHits) -> list[Row]:
    """Compare the arms of each pair.

    Args:
        pairs: The comparisons.
        tables: The files, for error messages, and the products.
        scores: Reads the scores of an arm.
        hits: Reads the hits that they are made of.

    Returns:
        The complete rows; a pair is left out where one of its arms has no scores.

    Raises:
        UserError: Two arms have no user in common, or hits do not add up to the scores.
    """
    rows = []
    for pair in pairs:
        a, b = (_pivot_users(scores(arm, pair.row)) for arm in (pair.arm_a, pair.arm_b))
        if a.empty or b.empty:
            continue
        users = a.index.intersection(b.index)
        if not len(users):
            raise UserError(
                f"{tables.scores}: {pair.row['recommender']}: {pair.arm_a} and {pair.arm_b} have no user in common; "
                "run `dvc repro rec_score`"
            )
        runs = pair_runs(a.columns.to_numpy(), b.columns.to_numpy())
        left, right = (table.loc[users, [run[side] for run in runs]] for side, table in enumerate((a, b)))
        ids = users.to_numpy()
        of_a, of_b = (hits(arm, pair.row).of_users(ids) for arm in (pair.arm_a, pair.arm_b))
        n_products = tables.count_products(pair)
        comparison = compare_hits(of_a, of_b, runs, tables.product, len(users), n_products)
        estimate = estimate_difference(comparison.differences)
        row = pair.row | _describe(left.to_numpy(), right.to_numpy())
        if abs(estimate.difference - (row["mean_a"] - row["mean_b"])) > ROUNDING:
            raise UserError(
                f"{tables.hits}: the hits of {pair.row['recommender']} on {pair.arm_a} and {pair.arm_b} do not add up "
                f"to the scores in {tables.scores}; run `dvc repro rec_score`"
            )
        row |= {"same_by_construction": pair.arm_a == pair.arm_b}
        rows.append(row | estimate._asdict() | {"p": None, "p_holm": None} | comparison.facts)
    return rows


def _new_row(table: str, recommender: str, metric: str, a: str, b: str) -> Row:
    return {"table": table, "recommender": recommender, "metric": metric, "a": a, "b": b, "confirmatory": False}


def _pivot_users(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row per user who has a value in every run (sorted), a column per run."""
    return scores.pivot(index="user", columns="run", values="value").dropna().sort_index()


def _describe(left: np.ndarray, right: np.ndarray) -> Row:
    """Return what a row says of the scores of both arms: (n_users, n_runs) each."""
    means_a, means_b = left.mean(axis=1), right.mean(axis=1)
    wins, ties, losses = wins_ties_losses(means_a, means_b)
    return {
        "mean_a": float(means_a.mean()),
        "mean_b": float(means_b.mean()),
        "runs": left.shape[1],
        "n": len(left),
        "wins": wins,
        "ties": ties,
        "losses": losses,
    }
