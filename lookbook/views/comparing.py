"""Two sets of captions on the same garments: their difference, its interval, slices of it, and the pairs.

One of them may be the shop's descriptions. They have no scores, as captions are scored against them: what is shown
then is the score of the other set alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from lookbook.comparison.rows import read_comparison
from lookbook.comparison.significance import Estimate, paired_means, wins_ties_losses
from lookbook.reporting.formatting import format_p
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


@dataclass(frozen=True)
class Slice:
    """A part of the garments: what they have in common, how many they are, and their mean difference."""

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
        key = (self.captioner, self.variant)
        return read_scores(self.study, [key], [metric]).get((*key, metric), NOTHING)


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


def estimate_difference(pairs: pl.DataFrame, draws: int = DRAWS) -> Estimate:
    """Estimate the mean difference of pairs; whole products are resampled."""
    groups = find_groups(pairs)
    draws = max(200, min(draws, COUNTS // max(1, len(np.unique(groups)))))
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
    scored, estimate, on = find_scored(a, b), estimate_difference(pairs), f"on {len(pairs):,} garments"
    exploratory = (
        "Exploratory: a selection made after looking has no p. The confirmatory comparisons stand under Results."
    )
    if scored:
        figure = write_estimate(estimate, sign="")
        alone = "Mean and its interval of 95 %, whole products resampled. Descriptions have no score: captions are "
        return f"{metric} of {scored.name}: {figure} {on}", [alone + "scored against them.", exploratory]
    wins, ties, losses = count_wins(pairs)
    counts = f"A is better on {wins}, equal on {ties}, worse on {losses}. Interval of 95 %, whole products resampled."
    verdict = f"{metric}: {a.name} − {b.name} = {write_estimate(estimate)} {on}"
    return verdict, [counts, tested or exploratory]


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
    interval = write_estimate(Estimate(row["difference"], row["low"], row["high"], row["p"], None))
    return f"Confirmatory: the stage compare tested this difference: {interval}, corrected p {format_p(row['p_holm'])}."


def write_estimate(estimate: Estimate, sign: str = "+") -> str:
    """Write a figure with its interval.

    Args:
        estimate: The figure.
        sign: + writes the sign of all; empty: that of negative figures alone.
    """
    figures = (f"{value:{sign}.4f}" for value in (estimate.difference, estimate.low, estimate.high))
    return "{} [{}, {}]".format(*figures).replace("-", "−")


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


def list_slices(study: Study, pairs: pl.DataFrame) -> list[Slice]:
    """List the slices with at least `FEW` garments, largest difference first."""
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
                slices.append(Slice(kind, str(value), len(part), estimate_difference(part, 500)))
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
