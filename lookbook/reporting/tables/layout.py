"""Tables of this study in the layout of the original study's: its columns, its rows in their order, and its names.

What the original study does not print is left out: floors and ceilings, other scores, other catalogues, marks of tests.
"""

from collections.abc import Callable

import pandas as pd

from lookbook.reporting.formatting import CAPTION_COLUMNS, Table, Values, format_value, list_skipped
from lookbook.reporting.tables.published import (
    CAPTION_METRICS,
    CAPTIONERS,
    RECOMMENDERS,
    find_own,
    head_rankings,
    read_published,
)

LABELS = {"captions": ("captioner", "variant"), "recommendations": ("catalogue", "recommender")}  # in the CSV
Rows = list[tuple[str, str, Values]]  # both labels, and what was scored


def captions_in_layout(metrics: Values, captioners: list[str]) -> Table:
    """Return pre-trained and fine-tuned captions by the published scores; those of our own captioners come last.

    Args:
        metrics: metrics/captions.json.
        captioners: The captioners of the study.
    """
    published = {ours: name for name, ours in CAPTIONERS.items() if ours in captioners}
    names = published | {name: name for name in captioners if name not in published}
    found = [
        (shown, variant.upper(), metrics[name][variant])
        for name, shown in names.items()
        for variant in ("pt", "ft")
        if variant in metrics.get(name, {})
    ]
    columns = [CAPTION_METRICS.get(column, column) for column in read_published("captions").columns[3:]]
    header = ["Captioner", "Captions", *(CAPTION_COLUMNS[column] for column in columns)]
    skipped = [note for note in list_skipped(metrics) if any(f" {column}:" in note for column in columns)]
    notes = ["In percent, CIDEr × 100. PT: pre-trained; FT: fine-tuned.", *skipped]
    return _make("captions", "Captions of the test garments", header, found, columns, notes, format_value)


def recommendations_in_layout(metrics: Values) -> Table:
    """Return the published recommenders on both published catalogues, each catalogue alone.

    Args:
        metrics: metrics/recommendations.json.
    """
    published = read_published("recommendations")
    columns = list(published.columns[2:])
    found = [
        (catalogue, shown, figures)
        for catalogue, shown in published[["catalogue", "recommender"]].itertuples(index=False)
        if (figures := find_own(metrics, catalogue, RECOMMENDERS[shown]))
    ]
    notes = [
        "Fractions; each catalogue with its own articles and users. ResNet50, BLIP-2, SentenceBERT and CLIP stand for "
        "the models that this study takes in their places."
    ]
    header = ["Catalogue", "Recommender", *head_rankings(columns)]
    return _make("recommendations", "Recommendations", header, found, columns, notes, _format_ranking)


def _format_ranking(_: str, value: float | None) -> str:
    return "n/a" if value is None else f"{value:.5f}"


def _make(
    name: str,
    title: str,
    header: list[str],
    found: Rows,
    columns: list[str],
    notes: list[str],
    write: Callable[[str, float | None], str],
) -> Table:
    """Make a table of two labels and a figure for each column."""
    labels = LABELS[name]
    frame = [dict(zip(labels, row[:2], strict=True)) | {c: row[2].get(c) for c in columns} for row in found]
    return Table(
        name,
        title,
        header,
        [[*row[:2], *(write(column, row[2].get(column)) for column in columns)] for row in found],
        2,
        pd.DataFrame(frame, columns=[*labels, *columns]),
        notes,
        compared=list(range(len(found))),
        best_within_label=name == "recommendations",
        heading_of=dict(zip(columns, header[2:], strict=True)),
    )
