"""The original study's published figures beside ours, where this study is about one of its data sets.

The published rows of fine-tuned BLIP-2 with Flan-T5 and LLaVA come from defects (the encoder saw the caption; the loss
had no EOS): to be beaten, not matched.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from catalogue.descriptions.variants import CATALOGUE_OF
from lookbook.reporting.formatting import CAPTION_COLUMNS, Table, Values, format_value, name_of
from recsys.scoring.arms import build_name

FOLDER = Path(__file__).parent.parent / "published"
CAPTIONERS = {  # as published -> as ours
    "BLIP-2-2.7B": "blip2-opt-2.7b",
    "BLIP-2-6.7B": "blip2-opt-6.7b",
    "BLIP-2-XL": "blip2-flan-t5-xl",
    "BLIP-2-XXL": "blip2-flan-t5-xxl",
    "LLaVA-1.5-7B": "llava-1.5-7b",
    "LLaVA-1.5-13B": "llava-1.5-13b",
}
CAPTION_METRICS = {"map": "attribute_precision", "mar": "attribute_recall"}  # the others have our names
RECOMMENDERS = {
    "Random": "random",
    "MostPop": "mostpop",
    "UserKNN (k=10)": "userknn",
    "ItemKNN (k=20)": "itemknn",
    "Visual (ResNet50)": build_name("vbpr", "resnet50"),
    "Visual (BLIP-2)": build_name("vbpr", "blip2-visual"),
    "Textual (SentenceBERT)": build_name("vbpr", "sbert"),
    "Multimodal (ResBERT)": build_name("vbpr", "resbert"),
    "Multimodal (CLIP)": build_name("vbpr", "clip"),
    "Queries (BLIP-2)": build_name("vbpr", "blip2-queries"),
}
RECOMMENDATIONS_OF = "hm"  # the data set of the published recommendations


def read_published(name: str) -> pd.DataFrame:
    """Read what was published: captions or recommendations."""
    return pd.read_csv(FOLDER / f"{name}.csv")


def head_rankings(columns: Sequence[str]) -> list[str]:
    """Return the headings of scores of lists.

    >>> head_rankings(["ndcg_5", "map_elliot_12"])
    ['NDCG@5', 'MAP-Elliot@12']
    """
    return [column.upper().replace("_ELLIOT", "-Elliot").replace("_", "@") for column in columns]


def published_captions_table(dataset: str, metrics: Values) -> Table | None:
    """Return `published / ours` for every published captioner; None for data that the original study does not have."""
    published = read_published("captions")
    published = published[published["dataset"] == dataset].drop(columns="dataset")
    if published.empty:
        return None
    columns, rows, values = list(published.columns[2:]), [], []
    for row in published.to_dict("records"):
        name = CAPTIONERS.get(row["captioner"], "")
        own = metrics.get(name, {}).get(row["variant"], {})
        ours = {column: own.get(CAPTION_METRICS.get(column, column)) for column in columns}
        cells = [_format_both(column, row[column], ours[column]) for column in columns]
        rows.append([row["captioner"], row["variant"], *cells])
        values.append(row | {f"{column}_ours": ours[column] for column in columns})
    header = ["Captioner", "Captions", *(CAPTION_COLUMNS[CAPTION_METRICS.get(column, column)] for column in columns)]
    notes = [
        "Published / ours, in percent, CIDEr × 100; n/a: not in this study. Fine-tuned BLIP-2 XL, XXL and LLaVA as "
        "published suffered from defects of the original code: to be beaten, not matched."
    ]
    return Table(
        "published-captions",
        "The original study's captions beside ours",
        header,
        rows,
        2,
        pd.DataFrame(values),
        notes,
        heading_of=_own_both(columns, header[2:]),
    )


def _own_both(columns: Sequence[str], headings: Sequence[str]) -> dict[str, str]:
    """Return the headings of the published figures' columns and of ours."""
    return {
        f"{column}{end}": heading for column, heading in zip(columns, headings, strict=True) for end in ("", "_ours")
    }


def _format_both(column: str, published: float, ours: float | None) -> str:
    """Format the published figure, in percent in its file, and ours, a fraction."""
    left = "n/a" if pd.isna(published) else f"{published:.1f}"
    return f"{left} / {format_value(CAPTION_METRICS.get(column, column), ours)}"


def published_recommendations_table(dataset: str, metrics: Values) -> Table | None:
    """Return `published / ours`, each catalogue alone; None for data that the original study does not have."""
    if dataset != RECOMMENDATIONS_OF:
        return None
    published = read_published("recommendations")
    columns, rows, values = list(published.columns[2:]), [], []
    for row in published.to_dict("records"):
        name = RECOMMENDERS[row["recommender"]]
        ours = find_own(metrics, row["catalogue"], name)
        cells = [f"{row[column]:.5f} / {format_value(column, ours.get(column))}" for column in columns]
        rows.append([row["catalogue"], name_of(name), *cells])
        values.append(row | {f"{column}_ours": ours.get(column) for column in columns})
    header = ["Catalogue", "Recommender", *head_rankings(columns)]
    notes = ["Published / ours, as fractions; each catalogue with its own articles and users. n/a: not in this study."]
    return Table(
        "published-recommendations",
        "The original study's recommendations beside ours",
        header,
        rows,
        2,
        pd.DataFrame(values),
        notes,
        heading_of=_own_both(columns, header[2:]),
    )


def find_own(metrics: Values, catalogue: str, name: str) -> Values:
    """Find the scores of a recommender on a catalogue; empty where it has none.

    Recommenders that read texts have the catalogue's own name as arm, the others that of its articles.
    """
    arms = (catalogue, CATALOGUE_OF[catalogue])
    return next((metrics[arm][name] for arm in arms if name in metrics.get(arm, {})), {})
