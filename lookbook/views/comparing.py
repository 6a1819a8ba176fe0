"""Two sets of captions on the same garments: their difference, its interval, slices of it, and the pairs.

One of them may be the shop's descriptions. They have no scores, as captions are scored against them: what is shown
then is the score of the other set alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from lookbook.comparison.rows import read_comparison
from lookbook.comparison.significance import Estimate, paired_means, wins_ties_losses
from lookbook.reporting.formatting import format_interval, format_p, format_value
from lookbook.views.corpora import Corpora, estimate_corpora, read_corpora
from lookbook.views.items import read_catalogue
from lookbook.views.scores import NOTHING, join_scores, read_scores
from lookbook.views.study import COMPARISON, ITEMS, SCORES, Study, captions, open_study
from pipeline.core.errors import UserError

DRAWS = 2000
COUNTS = 8_000_000  # draws × products at most, so that a page stays quick
FEW = 5  # garments; smaller slices are left out
BINS = 20
REFERENCE = "reference"
OTHER = "other study: "
TOGETHER = (
    "This score is of all these garments together, not the mean of their own scores, as histogram and pairs show them."
)


@dataclass(frozen=True)
class Slice:
    """A part of the garments: what they have in common, how many they are, and their difference."""

    kind: str
    value: str
    items: int
    estimate: Estimate


class Side(NamedTuple):
    """One of two sets that are compared: the study that has it, its captioner and variant."""

    study: Study
    captioner: str
    variant: str
    is_other: bool = False

    @property
    def is_reference(self) -> bool:
        """Whether these are the shop's descriptions."""
        return self.captioner == REFERENCE

    @property
    def name(self) -> str:
        """What pages and addresses call it."""
        return f"{OTHER if self.is_other else ''}{self.captioner} {self.variant}".rstrip()

    def read_scores(self, metric: str) -> pl.DataFrame:
        """Return item_id and value of a score, as the study of this set computed it."""
        return self.read_all_scores([metric]).get(metric, NOTHING)

    def read_all_scores(self, metrics: Sequence[str]) -> dict[str, pl.DataFrame]:
        """Return item_id and value of each score, as the study of this set computed it; absent where there is none."""
        found = read_scores(self.study, [(self.captioner, self.variant)], metrics)
        return {metric: scores for (_, _, metric), scores in found.items()}


def open_other(folder: str) -> Study:
    """Open another study, whose captions are compared with those of this one.

    Raises:
        UserError: There is no study in the folder, or it has no captions with scores.
    """
    root = Path(folder).expanduser()
    if not (root / "params.yaml").is_file():
        raise UserError(f"folder of another study: {folder}: no params.yaml there; give the folder of a study")
    other = open_study(root)
    if not (other.list_sets() and other.has(SCORES)):
        raise UserError(
            f"folder of another study: {folder}: no scored captions there; run `dvc repro caption_score` in it"
        )
    return other


def list_sides(study: Study, other: Study | None = None) -> list[Side]:
    """List the sets of captions of a study, those of another one after them, and the shop's descriptions last."""
    own = [Side(study, *one) for one in study.list_sets()]
    others = [] if other is None else [Side(other, *one, True) for one in other.list_sets()]
    return [*own, *others, *([Side(study, REFERENCE, "")] if own else [])]


def find_scored(a: Side, b: Side) -> Side | None:
    """Return the set that is compared with the shop's descriptions; None where neither side is these.

    Raises:
        UserError: Both are.
    """
    if a.is_reference and b.is_reference:
        raise UserError("A and B are both the shop's descriptions; choose captions for one of them")
    return b if a.is_reference else a if b.is_reference else None


def read_pairs(study: Study, a: Side, b: Side, metric: str) -> pl.DataFrame:
    """Return the garments of a study that both sets have a score of, largest difference first.

    Compared with the shop's descriptions, a and the difference are the score of the other set, and the lowest is first.

    Returns:
        row, item_id, category, colour, group, a, b, difference.
    """
    scored = find_scored(a, b)
    if scored:
        score = pl.col("value")
        scores = scored.read_scores(metric).select("item_id", a=score, b=pl.lit(0.0), difference=score)
    else:
        scores = join_scores(a.read_scores(metric), b.read_scores(metric))
    known = [name for name in ("row", "item_id", "category", "colour", "group") if name in read_catalogue(study)]
    joined = read_catalogue(study).select(known).join(scores, on="item_id", maintain_order="left")
    return joined.sort("difference", "row", descending=[scored is None, False])


def read_statistics(a: Side, b: Side, metric: str) -> Corpora | None:
    """Read what a score of two sets is computed from; None where it is the mean of the garments' own scores."""
    scored = find_scored(a, b)
    if scored:
        return read_corpora(metric, scored.read_all_scores, None)
    return read_corpora(metric, a.read_all_scores, b.read_all_scores)


def estimate_difference(pairs: pl.DataFrame, corpora: Corpora | None = None, draws: int = DRAWS) -> Estimate:
    """Estimate the difference of a score on the garments of pairs; whole products are resampled.

    Args:
        pairs: Of `read_pairs`, all or a selection.
        corpora: Of `read_statistics`; None: the mean difference.
        draws: The number of bootstrap draws, fewer where there are many products.
    """
    groups = find_groups(pairs)
    draws = max(200, min(draws, COUNTS // max(1, len(np.unique(groups)))))
    if corpora is not None:
        return estimate_corpora(corpora, pairs, groups, draws)
    a, b = (pairs[name].to_numpy().astype(float)[:, None] for name in ("a", "b"))
    return paired_means(a, b, groups, draws, seed=0)[0]


def describe_difference(pairs: pl.DataFrame, a: Side, b: Side, metric: str, tested: str = "") -> tuple[str, list[str]]:
    """Describe the difference of two sets, or the score of the one that is compared with the shop's descriptions.

    Args:
        pairs: Of `read_pairs`, all or a selection.
        a: The first set.
        b: The second.
        metric: The score.
        tested: Of `describe_test`, where the pairs are all; empty: what is selected was not tested.

    Returns:
        The figure in a sentence, and what is to be known of it.
    """
    scored, corpora = find_scored(a, b), read_statistics(a, b, metric)
    estimate, on = estimate_difference(pairs, corpora), f"on {len(pairs):,} garments"
    together = [TOGETHER] if corpora else []
    exploratory = (
        "Exploratory: a selection made after looking has no p. The confirmatory comparisons stand under Results."
    )
    if scored:
        figure = write_estimate(estimate, metric, sign=False)
        what = "Score" if corpora else "Mean"
        alone = f"{what} and its interval of 95 %, whole products resampled. Descriptions have no score: captions are "
        return f"{metric} of {scored.name}: {figure} {on}", [alone + "scored against them.", exploratory, *together]
    wins, ties, losses = count_wins(pairs)
    counts = f"A is better on {wins}, equal on {ties}, worse on {losses}. Interval of 95 %, whole products resampled."
    verdict = f"{metric}: {a.name} − {b.name} = {write_estimate(estimate, metric)} {on}"
    return verdict, [counts, tested or exploratory, *together]


def describe_test(study: Study, a: Side, b: Side, metric: str) -> str:
    """Describe what the stage `compare` found of fine-tuned and pre-trained captions on all garments.

    Returns:
        A sentence; empty where it did not test these two.
    """
    is_pair = a.captioner == b.captioner and not (a.is_other or b.is_other) and study.has(COMPARISON)
    rows = read_comparison(study.root / COMPARISON)["captions"] if is_pair else []
    names = {"captioner": a.captioner, "metric": metric, "a": a.variant, "b": b.variant}
    row = next((row for row in rows if names.items() <= row.items() and row.get("p_holm") is not None), None)
    if row is None:
        return ""
    interval = format_interval(metric, row)
    return f"Confirmatory: the stage compare tested this difference: {interval}, corrected p {format_p(row['p_holm'])}."


def write_estimate(estimate: Estimate, metric: str, sign: bool = True) -> str:
    """Write a figure with its interval, in the units of the report.

    Args:
        estimate: The figure.
        metric: The score that it is of.
        sign: Whether positive figures have a sign, too.
    """
    figures = (format_value(metric, value, sign) for value in (estimate.difference, estimate.low, estimate.high))
    return "{} [{}, {}]".format(*figures)


def write_pair(row: Mapping[str, Any], metric: str, scored: bool) -> str:
    """Write the scores of a pair, in the units of the report: its difference and both, or the only one."""
    a, b = (format_value(metric, row[name]) for name in ("a", "b"))
    return a if scored else f"{format_value(metric, row['difference'], True)}: {a} against {b}"


def write_bin(low: float, high: float, metric: str, sign: bool) -> str:
    """Write the limits of a bin, in the units of the report."""
    return f"{format_value(metric, low, sign)} to {format_value(metric, high, sign)}"


def find_groups(pairs: pl.DataFrame) -> np.ndarray:
    """Return the product group of each garment; each is its own where the catalogue knows none."""
    return pairs["group"].to_numpy() if "group" in pairs.columns else np.arange(len(pairs))


def count_wins(pairs: pl.DataFrame) -> tuple[int, int, int]:
    """Count the garments on which a is above b, equal, and below."""
    return wins_ties_losses(pairs["a"].to_numpy().astype(float), pairs["b"].to_numpy().astype(float))


def find_bins(pairs: pl.DataFrame) -> pl.DataFrame:
    """Count the differences in bins of equal width: low, high, items."""
    counts, edges = np.histogram(pairs["difference"].to_numpy(), bins=BINS)
    return pl.DataFrame({"low": edges[:-1], "high": edges[1:], "items": counts})


def list_slices(study: Study, pairs: pl.DataFrame, corpora: Corpora | None = None) -> list[Slice]:
    """List the slices with at least `FEW` garments, largest difference first; arguments of `estimate_difference`."""
    lengths = pl.scan_parquet(study.root / ITEMS).select(
        "item_id", words=pl.col("description").str.split(" ").list.len()
    )
    table = pairs.join(lengths.collect(), on="item_id", how="left", maintain_order="left")
    named = {"category": pl.col("category").cast(pl.String), "colour": pl.col("colour").cast(pl.String)}
    named["length of the description"] = (
        pl.when(pl.col("words") > table["words"].median()).then(pl.lit("longer half")).otherwise(pl.lit("shorter half"))
    )
    slices = []
    for kind, column in named.items():
        for (value,), part in table.with_columns(slice=column).group_by(["slice"], maintain_order=True):
            if value and len(part) >= FEW:
                slices.append(Slice(kind, str(value), len(part), estimate_difference(part, corpora, 500)))
    return sorted(slices, key=lambda one: -abs(one.estimate.difference))


def read_texts(side: Side, items: Sequence[str]) -> dict[str, str]:
    """Read what a set says of some garments; the captioner `reference` is the shop's descriptions.

    Raises:
        UserError: The captions are not there.
    """
    study, captioner, variant, _ = side
    path, column = (ITEMS, "description") if side.is_reference else (captions(captioner, variant), "caption")
    if not (study.root / path).is_file():
        raise UserError(f"{path.as_posix()}: no such captions; run `dvc repro caption_generate_{variant}@{captioner}`")
    table = pl.scan_parquet(study.root / path).select("item_id", column).filter(pl.col("item_id").is_in(list(items)))
    return {item: text or "" for item, text in table.collect().iter_rows()}
