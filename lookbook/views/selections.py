"""Selections of garments as the address of a page has them, so that a link is a view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lookbook.views.scores import choose_metric, list_metrics
from lookbook.views.study import VARIANTS, Study

Sort = Literal["number", "score", "difference", "surprise", "length"]
SHOWN_SETS = 4  # captions on a card at most
SHOWN_SCORES = 3
WRONG, UNFINISHED, NOTED = "wrong category", "not finished", "has a note"
ONLY = (WRONG, UNFINISHED, NOTED)
SORT_NAMES: dict[str, Sort] = {
    "catalogue order": "number",
    "a score": "score",
    "FT − PT of a score": "difference",
    "surprise": "surprise",
    "caption length": "length",
}
LARGEST, SMALLEST = "largest first", "smallest first"
KEYS = ("split", "category", "colour", "described", "text", "set", "missed", "invented", "sort", "metric", "order")


@dataclass(frozen=True)
class Selection:
    """Which garments are shown, and in which order; an empty value filters nothing.

    Attributes:
        split: train, validation or test.
        category: Of the garment.
        colour: Of the garment.
        described: yes: has a description; no: has none, it is imputed.
        text: Words in the description, or in the caption of the chosen set.
        captioner: Of the set that filters and scores read.
        variant: pt or ft, of that set.
        missed: An attribute that its caption misses.
        invented: An attribute that its caption invents.
        wrong_category: Only where the category read from the caption is not the garment's.
        unfinished: Only captions that reached the token limit.
        items: Of these garments alone; None: of all.
        sort: number: as in the catalogue; score: of the set; difference: FT − PT of the captioner; surprise: its size
            over its spread; length: of the caption.
        metric: What score, difference and surprise are of.
        descending: The largest first.
    """

    split: str = ""
    category: str = ""
    colour: str = ""
    described: str = ""
    text: str = ""
    captioner: str = ""
    variant: str = "ft"
    missed: str = ""
    invented: str = ""
    wrong_category: bool = False
    unfinished: bool = False
    items: tuple[str, ...] | None = None
    sort: Sort = "number"
    metric: str = ""
    descending: bool = True

    def list_filters(self) -> list[str]:
        """Say which filters are set."""
        named = {"split": self.split, "category": self.category, "colour": self.colour, "description": self.described}
        named |= {"words": self.text, "missed": self.missed, "invented": self.invented}
        filters = [f"{name}: {value}" for name, value in named.items() if value]
        filters += ["wrong category"] if self.wrong_category else []
        filters += ["not finished"] if self.unfinished else []
        return filters + (["has a note"] if self.items is not None else [])


def name_set(captioner: str, variant: str) -> str:
    """Return the name of a set of captions in addresses and choices.

    >>> name_set("tiny-llava", "ft")
    'tiny-llava ft'
    """
    return f"{captioner} {variant}"


def split_set(name: str) -> tuple[str, str]:
    """Return captioner and variant of a name; the captioner is empty where it is no such name.

    >>> split_set("tiny-llava ft"), split_set("")
    (('tiny-llava', 'ft'), ('', 'ft'))
    """
    captioner, _, variant = name.rpartition(" ")
    return (captioner, variant) if captioner and variant in VARIANTS else ("", "ft")


def choose_shown(study: Study) -> list[str]:
    """Choose the sets that are shown at first: those of the writer, otherwise the first two."""
    names = [name_set(*one) for one in study.list_sets()]
    own = [name for name in names if split_set(name)[0] == study.params.get("writer")]
    return own or names[:2]


def choose_filtered(study: Study) -> str:
    """Choose the set that filters read at first: the writer's fine-tuned captions, otherwise the last shown."""
    shown = choose_shown(study)
    return shown[-1] if shown else ""


def list_shown_metrics(study: Study) -> list[str]:
    """List the scores on a card: CIDEr, precision and recall of attributes where they are there."""
    metrics = list_metrics(study)
    wanted = ["cider", "core_precision", "attribute_precision", "attribute_recall", *metrics]
    return list(dict.fromkeys(name for name in wanted if name in metrics))[:SHOWN_SCORES]


def read_selection(
    study: Study, values: Mapping[str, str], only: Sequence[str] = (), noted: Sequence[str] = ()
) -> Selection:
    """Read a selection from an address; what it does not name, or names wrongly, is as on the first visit.

    Args:
        study: The study.
        values: A value for some of `KEYS`; `any` and an empty one filter nothing.
        only: Some of `ONLY`.
        noted: The garments that have a note.
    """

    def value(key: str) -> str:
        return "" if values.get(key, "any") == "any" else values[key]

    captioner, variant = split_set(value("set") or choose_filtered(study))
    metrics = list_metrics(study)
    metric = value("metric") if value("metric") in metrics else choose_metric(metrics)
    named: Any = SORT_NAMES.get(value("sort"), "number")
    return Selection(
        **{key: value(key) for key in ("split", "category", "colour", "described", "text", "missed", "invented")},
        captioner=captioner if captioner in study.captioners else "",
        variant=variant,
        wrong_category=WRONG in only,
        unfinished=UNFINISHED in only,
        items=tuple(noted) if NOTED in only else None,
        sort=named if named in get_args(Sort) else "number",
        metric=metric,
        descending=value("order") != SMALLEST,
    )
