"""The report's tables: rows as printed, and the same at full precision."""

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

from lookbook.printing import (
    CAPTION_COLUMNS,
    INTERVALS,
    MARKS,
    VARIANTS,
    Table,
    Values,
    interval,
    mark,
    name_of,
    probability,
    shown,
    skipped_notes,
)

# Filters are applied one after another; the count of a row is what is left after it.
CATALOGUE_ROWS = {
    "with_description": "… and with a description",
    "with_image": "… and with an image",
    "frequent_type": "… and of a product type with enough articles",
    "frequent_types": "product types with enough articles",
    "fashion": "… and fashion or accessories",
    "fashion_types": "product types that are fashion or accessories",
    "catalogue_original": "catalogue original: what all filters leave",
    "catalogue_all": "catalogue all: any article with an image",
    "without_description": "… of these without a description",
    "groups": "groups of equal product or description",
    "largest_group": "articles in the largest group",
}


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
    return _differences_table(
        *("captions-differences", "Fine-tuned minus pre-trained captions", "Captioner", rows),
        lambda row: [row["captioner"], CAPTION_COLUMNS[row["metric"]]],
        [
            "In percent points (CIDEr × 100). 95 % intervals: products resampled. p is corrected by Holm where the metric is confirmatory. Only garments that both captions have a score for.",
            *skipped_notes(metrics),
        ],
    )


def recommendations_table(metrics: Values, comparisons: list[Values], axes: Values) -> Table:
    """Recommender by catalogue, on the articles in common; stars at NDCG that differs from the original catalogue's.

    Args:
        axes: the root keys `catalogues`, `texts`, `recommenders`, `image_features`, `text_features` of params.yaml.
    """
    tested = {(row["recommender"], row["a"], row["metric"]): row for row in comparisons if row["b"] == "original"}
    rows, frame = _recommendation_rows(metrics, axes, "_common", tested)
    notes = [
        "original: the filtered articles. augmented: every article with an image, missing descriptions written by the captioner. unfilled: the same articles, missing descriptions left empty. Lists and purchases are restricted to the articles that every catalogue has, so that the rows can be compared.",
        "same: equal to augmented by construction, as no description enters these recommenders.",
        "VBPR's features: resnet50 is the image model that rec_features.image_model names, sbert is MiniLM of the text, resbert is both, clip is picture and text by rec_features.clip_model.",
        f"{MARKS}: against the original catalogue, over the users of both.",
    ]
    return Table(
        "recommendations",
        "Recommendations",
        ["Catalogue", "Recommender", *_ranking_names(frame)],
        rows,
        2,
        frame,
        notes,
    )


def own_recommendations_table(metrics: Values, axes: Values) -> Table:
    """Recommender by catalogue, each catalogue scored alone, as the original study did; no tests."""
    rows, frame = _recommendation_rows(metrics, axes, "", {})
    notes = [
        "Each catalogue with its own articles and users, as the original study published them. Rows of different catalogues measure different tasks and are not tested against one another."
    ]
    return Table(
        "recommendations-own",
        "Recommendations, each catalogue alone",
        ["Catalogue", "Recommender", *_ranking_names(frame)],
        rows,
        2,
        frame,
        notes,
    )


def _recommendation_rows(
    metrics: Values, axes: Values, suffix: str, tested: dict[tuple[str, str, str], Values]
) -> tuple[list[list[str]], pd.DataFrame]:
    columns = _ranking_columns(metrics, suffix)
    rows, values = [], []
    for catalogue, arm, name in _recommendation_arms(axes):
        found = metrics[arm][name]
        rows.append(
            [
                catalogue,
                name_of(name),
                *(shown(c, found.get(c)) + mark(tested.get((name, catalogue, c))) for c in columns),
            ]
        )
        values.append({"catalogue": catalogue, "recommender": name} | {c: found.get(c) for c in columns})
    if "unfilled" in axes["texts"] and "all" in axes["catalogues"]:
        rows.append(["unfilled", "recommenders without texts", *["same"] * len(columns)])
    return rows, pd.DataFrame(values)


def _recommendation_arms(axes: Values) -> list[tuple[str, str, str]]:
    """(catalogue as shown, arm, recommender): what needs no text on either catalogue, what does on every text."""
    plain = [*axes["recommenders"], *(f"vbpr-{name}" for name in axes["image_features"])]
    arms = []
    for shown_as in ("original", "augmented", "unfilled"):
        catalogue = {"original": "original", "augmented": "all"}.get(shown_as, "")
        if catalogue in axes["catalogues"]:
            arms += [(shown_as, catalogue, name) for name in plain]
        if shown_as in axes["texts"]:
            arms += [(shown_as, shown_as, f"vbpr-{name}") for name in axes["text_features"]]
    return arms


def _ranking_columns(metrics: Values, suffix: str) -> list[str]:
    """NDCG, then Elliot's MAP, at every cutoff of the study."""
    known = {metric for arm in metrics.values() for values in arm.values() for metric in values}
    found = [re.fullmatch(rf"(ndcg|map_elliot)_(\d+){suffix}", metric) for metric in known]
    keys = sorted((match[1] != "ndcg", int(match[2]), match[0]) for match in found if match)
    return [metric for _, _, metric in keys]


def _ranking_names(frame: pd.DataFrame) -> list[str]:
    """`map_elliot_5_common` as `MAP-Elliot@5`."""
    names = [str(name).removesuffix("_common").rpartition("_") for name in frame.columns[2:]]
    return [{"ndcg": "NDCG", "map_elliot": "MAP-Elliot"}[name] + f"@{cutoff}" for name, _, cutoff in names]


def catalogue_differences_table(comparisons: list[Values], cutoff: int) -> Table:
    """Augmented, original and unfilled against one another."""
    return _differences_table(
        *("catalogues", "What the extra articles and their captions change", "Recommender", comparisons),
        _arms_compared,
        [f"NDCG@{cutoff} on the articles in common, users of both. {INTERVALS}. p is corrected by Holm."],
    )


def masked_table(comparisons: list[Values], cutoff: int) -> Table:
    """The question itself: only the descriptions of the test garments differ between a and b."""
    rows = [row for row in comparisons if row["confirmatory"]]
    notes = [
        f"NDCG@{cutoff} where only the test garments count as purchases. Their descriptions are replaced by the fine-tuned caption (ft), the pre-trained caption (pt), nothing (none), or are their own (reference); articles, purchases and split stay the same. With none, all of them share the vector of the empty text, which can rank below chance.",
        f"Users who bought one of those garments in the test period. {INTERVALS}. p is corrected by Holm.",
    ]
    return _differences_table("masked", "The masked experiment", "Recommender", rows, _arms_compared, notes)


def masked_all_table(comparisons: list[Values], cutoff: int) -> Table:
    """The same texts and users, on everything that these users bought."""
    rows = [row for row in comparisons if not row["confirmatory"]]
    notes = [
        f"NDCG@{cutoff} on everything that the same users bought in the test period. {INTERVALS}; not confirmatory, so without p."
    ]
    return _differences_table(
        "masked-all", "The masked experiment, all garments", "Recommender", rows, _arms_compared, notes
    )


def _arms_compared(row: Values) -> list[str]:
    return [name_of(row["recommender"]), f"{row['a']} − {row['b']}"]


def _differences_table(
    name: str, title: str, first: str, rows: list[Values], labels: Callable[[Values], list[str]], notes: list[str]
) -> Table:
    """a, b, a - b with its interval, p, number, wins / ties / losses."""
    header = [first, "Compared", "a", "b", "a − b [95 %]", "p", "n", "Win / tie / loss"]
    body = []
    for row in rows:
        metric = row["metric"]
        figures = [shown(metric, row["mean_a"]), shown(metric, row["mean_b"])]
        if row.get("same_by_construction"):
            body.append([*labels(row), *figures, "same by construction", "", f"{row['n']:,}", ""])
            continue
        counts = f"{row['wins']:,} / {row['ties']:,} / {row['losses']:,}"
        body.append(
            [
                *labels(row),
                *figures,
                interval(metric, row) + mark(row),
                probability(row["p_holm"]),
                f"{row['n']:,}",
                counts,
            ]
        )
    return Table(name, title, header, body, 2, pd.DataFrame(rows), notes)


def catalogue_table(counts: Values) -> Table:
    """Every count of metrics/catalogue.json, nested names joined."""
    flat = list(_flatten(counts))
    rows = [
        [
            CATALOGUE_ROWS.get(path[0], " · ".join(part.replace("_", " ") for part in path)),
            f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value),
        ]
        for path, value in flat
    ]
    frame = pd.DataFrame([{"what": ".".join(path), "value": value} for path, value in flat])
    return Table("catalogue", "The catalogue: filters, splits, leakage", ["What", "Count"], rows, 1, frame)


def _flatten(values: Values, path: tuple[str, ...] = ()) -> Any:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, (*path, str(key)))
        elif not isinstance(value, list):
            yield (*path, str(key)), value
