"""Garments as a page shows them: description, captions with their words marked, and scores."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from lookbook.views.scores import read_scores
from lookbook.views.study import ITEMS, SCORES, Study, captions
from lookbook.views.words import CaptionWords, mark_caption, read_references, read_words


@dataclass(frozen=True)
class Caption:
    """A caption of a garment: its set, its words (None: it has no caption), and whether it ended by itself."""

    name: str
    words: CaptionWords | None
    finished: bool = True


@dataclass(frozen=True)
class Card:
    """A garment on a page.

    Attributes:
        row: Its row in items.parquet, which names its picture.
        description: None where the shop has none.
        captions: Of the chosen sets, in their order.
        scores: Name → value, in the order asked for.
    """

    row: int
    item_id: str
    product: str
    category: str
    colour: str
    split: str
    description: str | None
    captions: list[Caption] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)


def read_cards(
    study: Study, rows: pl.DataFrame, sets: Sequence[tuple[str, str]], metrics: Sequence[str] = ()
) -> list[Card]:
    """Read what is shown of some garments.

    Args:
        study: The study.
        rows: Of `select`: at most a page of them.
        sets: Captioner and variant of the captions to show.
        metrics: The scores to show of each set.
    """
    items = rows["item_id"].to_list()
    described = read_descriptions(study, items)
    references = read_references(study, items)
    shown = {one: _read_captions(study, one, items, references) for one in sets}
    scores = _read_card_scores(study, items, sets, metrics)
    return [
        Card(
            row=row["row"],
            item_id=row["item_id"],
            product=str(row.get("product_code") or ""),
            category=row["category"],
            colour=row.get("colour") or "",
            split=row["split"],
            description=described.get(row["item_id"]),
            captions=[shown[one].get(row["item_id"], Caption(" ".join(one), None)) for one in sets],
            scores=scores.get(row["item_id"], {}),
        )
        for row in rows.iter_rows(named=True)
    ]


def read_descriptions(study: Study, items: Sequence[str]) -> dict[str, str | None]:
    """Read the shop's descriptions of some garments; None where it has none."""
    table = pl.scan_parquet(study.root / ITEMS).select("item_id", "description")
    return dict(table.filter(pl.col("item_id").is_in(list(items))).collect().iter_rows())


def _read_captions(
    study: Study, one: tuple[str, str], items: Sequence[str], references: dict[str, list[str]]
) -> dict[str, Caption]:
    path = study.root / captions(*one)
    if not path.exists():
        return {}
    table = pl.scan_parquet(path).select("item_id", "caption", "finished").filter(pl.col("item_id").is_in(list(items)))
    words = read_words(study, *one, items=items)
    found = {} if words is None else {row["item_id"]: row for row in words.iter_rows(named=True)}
    return {
        item: Caption(" ".join(one), mark_caption(text or "", found.get(item), references.get(item)), finished)
        for item, text, finished in table.collect().iter_rows()
    }


def _read_card_scores(
    study: Study, items: Sequence[str], sets: Sequence[tuple[str, str]], metrics: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Read scores as item → name → value; a name is that of the score, with the set where there are several."""
    if not (metrics and sets and study.has(SCORES)):
        return {}
    own = pl.col("item_id").is_in(list(items))
    found = {
        (item, *key): value
        for key, table in read_scores(study, sets, metrics).items()
        for item, value in table.filter(own).iter_rows()
    }
    scores: dict[str, dict[str, float]] = {}
    for item, one, metric in itertools.product(items, sets, metrics):
        if (item, *one, metric) in found:
            name = metric if len(sets) == 1 else f"{metric}, {' '.join(one)}"
            scores.setdefault(item, {})[name] = found[(item, *one, metric)]
    return scores
