"""Tables of captions: every captioner's scores, and fine-tuned against pre-trained."""

import pandas as pd

from lookbook.printing import CAPTION_COLUMNS, MARKS, VARIANTS, Table, Values, mark, shown, skipped_notes
from lookbook.tables.differences import differences_table


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
            *skipped_notes(metrics),
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
            *skipped_notes(metrics),
        ],
    )
