"""Test garments with their pictures, references and captions: chosen by rule, and by the scores of their captions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from catalogue.prepared.images import ImageStore
from catalogue.prepared.items import read_items
from lookbook.reporting import files
from lookbook.reporting.files import Reader
from lookbook.reporting.page.marking import Marked, Part, mark_caption
from lookbook.reporting.page.pages import encode_data_uri
from lookbook.reporting.settings import ReportedStudy
from pipeline.core.errors import UserError
from pipeline.core.outputs import read_parquet, require

BY_RULE = 24  # garments of the second page
IN_GROUP = 8  # garments of a group of the first page
SCORE = "cider"  # what groups are chosen by
VARIANTS = ("pt", "ft")
ABOUT = ("category", "colour", "description")


@dataclass(frozen=True)
class Garment:
    """A garment as a page shows it.

    Attributes:
        jpeg: Its picture.
        captions: Captioner -> variant -> its caption with marks.
        scores: Variant -> the score of the writer's caption; empty where there is none.
    """

    item_id: str
    category: str
    colour: str
    description: str
    jpeg: bytes
    captions: dict[str, dict[str, Marked]]
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def image(self) -> str:
        """The picture as a data URI."""
        return encode_data_uri(self.jpeg, "image/jpeg")


@dataclass(frozen=True)
class Garments:
    """The garments of a report.

    Attributes:
        by_rule: The first of every category, then the second, and so on.
        groups: Heading -> garments of the writer's captions.
        is_marked: Whether the attributes of the captions are known.
    """

    by_rule: list[Garment] = field(default_factory=list)
    groups: dict[str, list[Garment]] = field(default_factory=dict)
    is_marked: bool = False


def read_garments(study: ReportedStudy, captioners: Sequence[str], reader: Reader) -> Garments:
    """Read the garments that both pages show; the reader notes files that are not there.

    Args:
        study: Its axes.
        captioners: The captioners to show.
        reader: Reads.
    """
    maker = _open(study, captioners, reader)
    if maker is None:
        return Garments()
    by_rule = [maker.make(item, captioners) for item in choose_by_rule(maker.items, BY_RULE)]
    groups = {
        heading: [maker.make(item, [study.writer]) for item in members]
        for heading, members in choose_groups(maker.scores.reindex(maker.items["item_id"]).dropna()).items()
        if study.writer in captioners
    }
    return Garments(by_rule, groups, bool(maker.spans))


def read_examples(study: ReportedStudy, reader: Reader, items: Sequence[str] = ()) -> list[Garment]:
    """Read garments with the captions of the writer: those that are asked for, otherwise the first by rule.

    Args:
        study: Its axes.
        reader: Reads, and notes files that are not there.
        items: The numbers of test garments.

    Raises:
        UserError: There is no such test garment.
    """
    maker = _open(study, [study.writer], reader) if study.captioners else None
    if maker is None:
        return []
    known = set(maker.items["item_id"])
    for item in items:
        if item not in known:
            raise UserError(
                f"--items {item}: no test garment of {files.ITEMS}; take numbers from reports/garments.html, such as "
                f"{maker.items['item_id'].iloc[0]}"
            )
    return [maker.make(item, [study.writer]) for item in items or choose_by_rule(maker.items, IN_GROUP)]


def choose_by_rule(items: pd.DataFrame, n: int) -> list[str]:
    """Choose the first garment of every category by its number, then the second, and so on.

    Args:
        items: item_id and category of garments, sorted by number.
        n: How many to choose.
    """
    ranked = items.assign(rank=items.groupby("category").cumcount())
    return ranked.sort_values(["rank", "category", "item_id"])["item_id"].head(n).tolist()


def _open(study: ReportedStudy, captioners: Sequence[str], reader: Reader) -> "_Maker | None":
    """Read what garments are made of; None where too little is there."""
    texts = _read_texts(captioners, reader)
    items = reader.read(files.ITEMS, _read_test_items, pd.DataFrame())
    words = reader.read(files.CAPTION_WORDS, pd.read_parquet, pd.DataFrame())
    nothing: dict[str, list[str]] = {}
    references = reader.read(files.OWN_ATTRIBUTES, _read_references, nothing)
    scores = reader.read(files.CAPTION_SCORES, lambda path: _read_scores(path, study.writer), pd.DataFrame())
    if not files.IMAGES.exists():
        reader.note(files.IMAGES, files.STAGES[files.IMAGES])
    if items.empty or not files.IMAGES.exists() or not any(texts.values()):
        return None
    return _Maker(items, ImageStore(files.IMAGES), texts, _read_spans(words), references, scores)


def choose_groups(scores: pd.DataFrame) -> dict[str, list[str]]:
    """Choose the garments of each group; ties are settled by the number of the item.

    Args:
        scores: A row per item, sorted by its number; columns pt and ft.

    Returns:
        Heading -> items; empty without scores.
    """
    if not {"pt", "ft"} <= set(scores.columns) or scores.empty:
        return {}
    change = scores["ft"] - scores["pt"]
    by = {
        "most improved by fine-tuning": -change,
        "least improved, or made worse": change,
        "best fine-tuned captions": -scores["ft"],
        "worst fine-tuned captions": scores["ft"],
    }
    return {heading: values.sort_values(kind="stable").index[:IN_GROUP].tolist() for heading, values in by.items()}


@dataclass(frozen=True)
class _Maker:
    items: pd.DataFrame
    store: ImageStore
    texts: Mapping[tuple[str, str], Mapping[str, str]]
    spans: Mapping[tuple[str, str, str], Sequence[Mapping[str, object]]]
    references: Mapping[str, Sequence[str]]
    scores: pd.DataFrame

    def make(self, item: str, captioners: Sequence[str]) -> Garment:
        row = self.items.loc[self.items["item_id"] == item].iloc[0]
        captions = {
            name: {variant: self._mark(item, name, variant) for variant in VARIANTS if self.texts.get((name, variant))}
            for name in captioners
        }
        scores = self.scores.loc[item].dropna().to_dict() if item in self.scores.index else {}
        category, colour, description = ("" if pd.isna(row[key]) else str(row[key]) for key in ABOUT)
        numbers = {str(key): float(value) for key, value in scores.items()}
        return Garment(item, category, colour, description, self.store.read_jpeg(item), captions, numbers)

    def _mark(self, item: str, captioner: str, variant: str) -> Marked:
        text = self.texts[captioner, variant].get(item, "")
        spans = self.spans.get((captioner, variant, item))
        if spans is None or item not in self.references:
            return Marked([Part(text)] if text else [], [])
        return mark_caption(text, spans, self.references[item])


def _read_test_items(path: Path) -> pd.DataFrame:
    table = read_items(path, ["item_id", "category", "colour", "description", "split"])
    return table[table["split"] == "test"].reset_index(drop=True)


def _read_texts(captioners: Sequence[str], reader: Reader) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (name, variant): reader.read(
            files.CAPTIONS / f"{name}-{variant}.parquet", _read_captions, {}, f"caption_generate_{variant}@{name}"
        )
        for name in captioners
        for variant in VARIANTS
    }


def _read_captions(path: Path) -> dict[str, str]:
    table = pd.read_parquet(path, columns=["item_id", "caption"])
    return dict(zip(table["item_id"], table["caption"], strict=True))


def _read_scores(path: Path, writer: str) -> pd.DataFrame:
    """Read the score of the writer's captions: a row per item, columns pt and ft."""
    table = pd.read_parquet(path, filters=[("captioner", "==", writer), ("metric", "==", SCORE)])
    table = table[table["variant"].isin(VARIANTS)]
    return table.pivot(index="item_id", columns="variant", values="value").sort_index()


def _read_spans(words: pd.DataFrame) -> dict[tuple[str, str, str], Sequence[Mapping[str, object]]]:
    if words.empty:
        return {}
    keys = zip(words["captioner"], words["variant"], words["item_id"], strict=True)
    return dict(zip(keys, words["attributes"], strict=True))


def _read_references(folder: Path) -> dict[str, list[str]]:
    """Read the attributes of each description that are in the vocabulary of the scores."""
    table = read_parquet(folder / "items.parquet")
    known = frozenset(json.loads(require(folder / "vocabulary.json").read_text(encoding="utf-8")))
    pairs = zip(table["item_id"], table["attributes"], strict=True)
    return {item: [word for word in words if word in known] for item, words in pairs}
