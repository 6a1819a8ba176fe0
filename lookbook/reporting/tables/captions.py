"""Tables of captions: scores, differences, kinds of SPICE tuples, single attributes, confused categories."""

import pandas as pd

from lookbook.reporting.formatting import (
    CAPTION_COLUMNS,
    MARKS,
    ONE_RUN,
    VARIANTS,
    Table,
    Values,
    format_value,
    list_skipped,
    mark,
)
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
OF_ATTRIBUTES = {  # column of data/scores/attributes.parquet -> heading; four counts, two shares
    "reference": "In the description",
    "right": "Right",
    "missed": "Missed",
    "invented": "Invented",
    "precision": "Precision",
    "recall": "Recall",
}
MOST = 12  # rows printed for each captioner; the CSV has all


def captions_table(metrics: Values, comparisons: list[Values], captioners: list[str]) -> Table:
    """Return captioner by variant by metric; stars mark fine-tuned figures that differ from pre-trained ones.

    Args:
        metrics: metrics/captions.json.
        comparisons: The table `captions` of metrics/comparison.json.
        captioners: The captioners of the study.
    """
    comparison_of = {(row["captioner"], row["metric"]): row for row in comparisons}
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
        stars = mark(comparison_of.get((name, metric))) if variant == "ft" else ""
        return format_value(metric, values.get(metric)) + stars

    intervals, beats = _compare_variants(arms, columns, comparison_of)
    of_true = [
        f"{CAPTION_COLUMNS[metric]} of the true descriptions: {format_value(metric, value)}."
        for metric, value in metrics.get("reference", {}).items()
    ]
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
            "In percent; CIDEr × 100; length is a ratio. Floor: fine-tuned captions given to the wrong images.",
            *_explain_marks(comparisons, columns),
            ONE_RUN,
            *of_true,
            *list_skipped(metrics, but="spice_"),
        ],
        compared=[number for number, (_, variant, _) in enumerate(arms) if variant in ("pt", "ft")],
        beats=beats,
        intervals=intervals,
        interval_note="Second lines: 95 % intervals of fine-tuned minus pre-trained.",
        heading_of={metric: CAPTION_COLUMNS[metric] for metric in columns},
    )


def _explain_marks(comparisons: list[Values], columns: list[str]) -> list[str]:
    """Say what stars mean, and in which columns there may be some: where p is corrected; nothing where none is."""
    tested = {row["metric"] for row in comparisons if row.get("p_holm") is not None}
    names = [CAPTION_COLUMNS[metric] for metric in columns if metric in tested]
    return [f"{MARKS}: fine-tuned against pre-trained, {' and '.join(names)} only."] if names else []


def _compare_variants(
    arms: list[tuple[str, str, Values]], columns: list[str], comparison_of: dict[tuple[str, str], Values]
) -> tuple[dict[tuple[int, int], str], dict[tuple[int, int], int]]:
    """Return (row, column) -> interval of fine-tuned minus pre-trained, and -> the pre-trained row where claimed."""
    place = {(name, variant): number for number, (name, variant, _) in enumerate(arms)}
    intervals, beats = {}, {}
    for column, metric in enumerate(columns, 2):
        for (name, variant), number in place.items():
            row = comparison_of.get((name, metric)) if variant == "ft" else None
            if row is None:
                continue
            low, high = (format_value(metric, row[key], True) for key in ("low", "high"))
            intervals[number, column] = f"[{low}, {high}]"
            if mark(row):
                beats[number, column] = place[name, "pt"]
    return intervals, beats


def has_truth(metrics: Values, captioners: list[str]) -> bool:
    """Return whether the data says which attributes are true of a garment, so that core precision was scored."""
    return any("core_precision" in metrics[name].get("ft", {}) for name in captioners)


def caption_differences_table(metrics: Values, comparisons: list[Values]) -> Table:
    """Return fine-tuned minus pre-trained, a row per captioner and metric."""
    order = {metric: index for index, metric in enumerate(CAPTION_COLUMNS)}
    rows = [row for row in comparisons if row["metric"] in order]
    rows.sort(key=lambda row: order[row["metric"]])  # stable: captioners stay in the order of the study
    return differences_table(
        *("captions-differences", "Fine-tuned minus pre-trained captions", "Captioner", rows),
        lambda row: [row["captioner"], CAPTION_COLUMNS[row["metric"]]],
        [
            "In percent points (CIDEr × 100). 95 % intervals: products resampled. p is corrected by Holm where the "
            "metric is confirmatory. Only garments that both captions have a score for.",
            ONE_RUN,
            *list_skipped(metrics, but="spice_"),
        ],
    )


def spice_table(metrics: Values, captioners: list[str]) -> Table | None:
    """Return SPICE and its sub-scores; None where it was not scored."""
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
            [name, VARIANTS[variant], *(format_value(metric, values.get(metric)) for metric in SPICE_KINDS)]
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
        heading_of=SPICE_KINDS,
    )


def attributes_table(attributes: pd.DataFrame, captioners: list[str]) -> Table:
    """Return the most frequent attributes of descriptions and fine-tuned captions: right, missed, invented.

    Args:
        attributes: data/scores/attributes.parquet.
        captioners: The captioners of the study.
    """
    rows = []
    for name, chosen in _by_captioner(attributes, captioners):
        chosen = chosen.assign(most=chosen["reference"] + chosen["invented"])
        most_frequent = chosen.sort_values(["most", "attribute"], ascending=[False, True]).head(MOST)
        for row in most_frequent.to_dict("records"):
            counts = [f"{row[key]:,}" for key in list(OF_ATTRIBUTES)[:4]]
            shares = [format_value("attribute", _none_for_nan(row[key])) for key in list(OF_ATTRIBUTES)[4:]]
            rows.append([name, str(row["attribute"]), *counts, *shares])
    return Table(
        "captions-attributes",
        "Attributes: right, missed, invented",
        ["Captioner", "Attribute", *OF_ATTRIBUTES.values()],
        rows,
        2,
        attributes,
        [
            f"Test garments, fine-tuned captions; the {MOST} most frequent attributes of each captioner. All "
            "attributes and captions are in the CSV. Invented: in the caption and not in the description, which need "
            "not name all that is true."
        ],
        heading_of=OF_ATTRIBUTES,
    )


def confusions_table(confusions: pd.DataFrame, captioners: list[str]) -> Table:
    """Return the categories that the classifier most often predicts instead of the true one.

    Args:
        confusions: data/scores/confusions.parquet.
        captioners: The captioners of the study.
    """
    wrong = confusions[confusions["true_category"] != confusions["predicted_category"]]
    parts = _by_captioner(wrong, captioners)
    parts.append(("true descriptions", wrong[wrong["variant"].eq("reference")]))
    order = ["items", "true_category", "predicted_category"]
    rows = [
        [name, row["true_category"], row["predicted_category"], f"{row['items']:,}"]
        for name, chosen in parts
        for row in chosen.sort_values(order, ascending=[False, True, True]).head(MOST).to_dict("records")
    ]
    return Table(
        "captions-confusions",
        "Categories taken for others",
        ["Captioner", "True category", "Read in the caption", "Garments"],
        rows,
        3,
        confusions,
        [f"Fine-tuned captions, the {MOST} most frequent pairs of each; all pairs and captions are in the CSV."],
        heading_of={"items": "Garments"},
    )


def _by_captioner(table: pd.DataFrame, captioners: list[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows of each captioner's fine-tuned captions."""
    chosen = table[table["variant"].eq("ft")]
    return [(name, chosen[chosen["captioner"].eq(name)]) for name in captioners]


def _none_for_nan(value: object) -> float | None:
    return float(value) if isinstance(value, float) and value == value else None
