"""Tables of captions: every captioner's scores, fine-tuned against pre-trained, and what stands behind the means:
kinds of SPICE tuples, single attributes, categories that are taken for others."""

import pandas as pd

from lookbook.reporting.formatting import CAPTION_COLUMNS, MARKS, VARIANTS, Table, Values, mark, shown, skipped_notes
from lookbook.reporting.tables.differences import differences_table

SPICE_KINDS = {
    "spice": "SPICE",
    "spice_object": "Objects",
    "spice_attribute": "Attributes",
    "spice_relation": "Relations",
    "spice_color": "Colours",
    "spice_size": "Sizes",
    "spice_cardinality": "Numbers",
}
MOST = 12  # rows that are shown for each captioner; the CSV has them all


def captions_table(metrics: Values, comparisons: list[Values], captioners: list[str]) -> Table:
    """Captioner by variant by metric; stars at fine-tuned figures that differ from pre-trained ones."""
    tested = {(row["captioner"], row["metric"]): row for row in comparisons}
    arms = [
        (name, variant, metrics[name][variant])
        for name in captioners
        for variant in ("pt", "ft", "floor")
        if variant in metrics[name]
    ]
    if "ceiling" in metrics:
        arms.append(("", "ceiling", metrics["ceiling"]))
    known = {metric for _, _, values in arms for metric in values}
    skipped = " ".join(metrics.get("skipped", []))
    columns = [metric for metric in CAPTION_COLUMNS if metric in known or f"{metric}:" in skipped]

    def cell(name: str, variant: str, values: Values, metric: str) -> str:
        stars = mark(tested.get((name, metric))) if variant == "ft" else ""
        return shown(metric, values.get(metric)) + stars

    true = metrics.get("reference", {})
    said = [f"{CAPTION_COLUMNS[metric]} of the true descriptions: {shown(metric, true[metric])}." for metric in true]
    return Table(
        "captions",
        "Captions of the test garments",
        ["Captioner", "Captions", *(CAPTION_COLUMNS[metric] for metric in columns)],
        [
            [name, VARIANTS[variant], *(cell(name, variant, values, metric) for metric in columns)]
            for name, variant, values in arms
        ],
        2,
        pd.DataFrame(
            [
                {"captioner": name, "variant": variant} | {metric: values.get(metric) for metric in columns}
                for name, variant, values in arms
            ]
        ),
        [
            f"In percent; CIDEr × 100; length is a ratio. Floor: fine-tuned captions given to the wrong images. {MARKS}: fine-tuned against pre-trained, CIDEr and core precision only.",
            *said,
            *skipped_notes(metrics, but="spice_"),
        ],
    )


def caption_differences_table(metrics: Values, comparisons: list[Values]) -> Table:
    """Fine-tuned minus pre-trained, a row per captioner and metric."""
    order = {metric: place for place, metric in enumerate(CAPTION_COLUMNS)}
    rows = [row for row in comparisons if row["metric"] in order]
    rows.sort(key=lambda row: order[row["metric"]])  # stable: captioners stay in the order of the study
    return differences_table(
        *("captions-differences", "Fine-tuned minus pre-trained captions", "Captioner", rows),
        lambda row: [row["captioner"], CAPTION_COLUMNS[row["metric"]]],
        [
            "In percent points (CIDEr × 100). 95 % intervals: products resampled. p is corrected by Holm where the metric is confirmatory. Only garments that both captions have a score for.",
            *skipped_notes(metrics, but="spice_"),
        ],
    )


def spice_table(metrics: Values, captioners: list[str]) -> Table | None:
    """SPICE and its sub-scores; None where it was not scored."""
    arms = [(name, variant, metrics[name][variant]) for name in captioners for variant in ("pt", "ft")]
    if "ceiling" in metrics:
        arms.append(("", "ceiling", metrics["ceiling"]))
    if not any("spice" in values for _, _, values in arms):
        return None
    return Table(
        "captions-spice",
        "SPICE by kind of tuple",
        ["Captioner", "Captions", *SPICE_KINDS.values()],
        [
            [name, VARIANTS[variant], *(shown(metric, values.get(metric)) for metric in SPICE_KINDS)]
            for name, variant, values in arms
        ],
        2,
        pd.DataFrame(
            [
                {"captioner": name, "variant": variant} | {metric: values.get(metric) for metric in SPICE_KINDS}
                for name, variant, values in arms
            ]
        ),
        ["F in percent, of the tuples of one kind, over the garments whose description has such tuples."],
    )


def attributes_table(attributes: pd.DataFrame, captioners: list[str]) -> Table:
    """The attributes that descriptions and fine-tuned captions have most often: right, missed, invented.

    Args:
        attributes: data/scores/attributes.parquet.
    """
    rows = []
    for name, chosen in _by_captioner(attributes, captioners):
        chosen = chosen.assign(most=chosen["reference"] + chosen["invented"])
        for one in chosen.sort_values(["most", "attribute"], ascending=[False, True]).head(MOST).to_dict("records"):
            counts = [f"{one[key]:,}" for key in ("reference", "right", "missed", "invented")]
            shares = [shown("attribute", _figure(one[key])) for key in ("precision", "recall")]
            rows.append([name, str(one["attribute"]), *counts, *shares])
    return Table(
        "captions-attributes",
        "Attributes: right, missed, invented",
        ["Captioner", "Attribute", "In the description", "Right", "Missed", "Invented", "Precision", "Recall"],
        rows,
        2,
        attributes,
        [
            f"Test garments, fine-tuned captions; the {MOST} most frequent attributes of each captioner. All attributes and captions are in the CSV. Invented: in the caption and not in the description, which need not name all that is true."
        ],
    )


def confusions_table(confusions: pd.DataFrame, captioners: list[str]) -> Table:
    """The categories that the classifier most often reads instead of the true one.

    Args:
        confusions: data/scores/confusions.parquet.
    """
    wrong = confusions[confusions["true_category"] != confusions["predicted_category"]]
    named = _by_captioner(wrong, captioners)
    named.append(("true descriptions", wrong[wrong["variant"].eq("reference")]))
    order = ["items", "true_category", "predicted_category"]
    rows = [
        [name, one["true_category"], one["predicted_category"], f"{one['items']:,}"]
        for name, chosen in named
        for one in chosen.sort_values(order, ascending=[False, True, True]).head(MOST).to_dict("records")
    ]
    return Table(
        "captions-confusions",
        "Categories taken for others",
        ["Captioner", "True category", "Read in the caption", "Garments"],
        rows,
        3,
        confusions,
        [f"Fine-tuned captions, the {MOST} most frequent pairs of each; all pairs and captions are in the CSV."],
    )


def _by_captioner(table: pd.DataFrame, captioners: list[str]) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each captioner's fine-tuned captions."""
    chosen = table[table["variant"].eq("ft")]
    return [(name, chosen[chosen["captioner"].eq(name)]) for name in captioners]


def _figure(value: object) -> float | None:
    """None for NaN."""
    return float(value) if isinstance(value, float) and value == value else None
