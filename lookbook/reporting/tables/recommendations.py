"""Tables of recommendations: recommenders by catalogue, differences between catalogues, texts and slices."""

import re
from dataclasses import replace

import pandas as pd

from catalogue.descriptions.variants import CATALOGUE_OF
from lookbook.reporting.formatting import INTERVALS, Table, Values, format_value, mark, name_of
from lookbook.reporting.tables.differences import differences_table
from recsys.scoring.arms import list_catalogue_recommenders, list_text_recommenders, split_name


def recommendations_table(metrics: Values, comparisons: list[Values], axes: Values) -> Table:
    """Return recommender by catalogue, on the articles in common.

    Args:
        metrics: metrics/recommendations.json.
        comparisons: The table `catalogues` of metrics/comparison.json.
        axes: The root keys of params.yaml that are axes.
    """
    comparison_of = {
        (row["recommender"], row["a"], row["metric"]): row for row in comparisons if row["b"] == "original"
    }
    rows, frame = _recommendation_rows(metrics, axes, "_common", comparison_of)
    heading_of = _head_rankings(frame)
    notes = [
        "original: the filtered articles. augmented: every article with an image, missing descriptions written by the "
        "fine-tuned captioner; augmented-pt: by the pre-trained one. unfilled: the same articles, missing descriptions "
        "left empty. Lists and purchases are restricted to the articles that every catalogue has, so that the rows can "
        "be compared.",
        "same: equal to augmented by construction, as no description enters these recommenders.",
        "VBPR's features: resnet50 is the image model that rec_features.resnet50.model names, sbert is MiniLM of the "
        "text, resbert is both, clip is picture and text by rec_features.clip.model.",
    ]
    return Table(
        "recommendations",
        "Recommendations",
        ["Catalogue", "Recommender", *heading_of.values()],
        rows,
        2,
        frame,
        notes,
        compared=list(range(len(frame))),
        best_within_label=True,
        heading_of=heading_of,
    )


def own_recommendations_table(metrics: Values, axes: Values) -> Table:
    """Return recommender by catalogue, each catalogue scored alone as in the original study; without tests."""
    rows, frame = _recommendation_rows(metrics, axes, "", {})
    heading_of = _head_rankings(frame)
    notes = [
        "Each catalogue with its own articles and users, as the original study published them. Rows of different "
        "catalogues measure different tasks and are not tested against one another."
    ]
    return Table(
        "recommendations-own",
        "Recommendations, each catalogue alone",
        ["Catalogue", "Recommender", *heading_of.values()],
        rows,
        2,
        frame,
        notes,
        compared=list(range(len(frame))),
        best_within_label=True,
        heading_of=heading_of,
    )


BEYOND = {  # as in metrics/recommendations.json -> heading
    "coverage": "Coverage",
    "gini": "Gini",
    "novelty": "Novelty, bits",
    "popularity": "Popularity",
    "popularity_lift": "Popularity lift",
    "long_tail": "Long tail",
}


def beyond_accuracy_table(metrics: Values, axes: Values, cutoff: int) -> Table:
    """Return coverage, novelty and popularity bias of each recommender's lists, on its own catalogue; without tests."""
    columns = [f"{name}_{cutoff}" for name in BEYOND]
    rows, values = [], []
    for catalogue, arm, name in _list_scored_arms(metrics, axes):
        figures = metrics[arm][name]
        rows.append([catalogue, name_of(name), *(format_value(c, figures.get(c)) for c in columns)])
        values.append({"catalogue": catalogue, "recommender": name} | {c: figures.get(c) for c in columns})
    notes = [
        f"Of the first {cutoff} items of every list. Coverage: share of the candidates that are in any list. Gini: 0 "
        "where all candidates are listed alike, towards 1 where always the same. Novelty: mean of −log2 of an item's "
        "share of buyers. Popularity: mean number of buyers of a listed item; its lift is over that of what the users "
        "bought, 0 being no bias. Long tail: share of listed items outside the fifth that most users bought."
    ]
    header = ["Catalogue", "Recommender", *BEYOND.values()]
    heading_of = dict(zip(columns, BEYOND.values(), strict=True))
    return Table(
        *("recommendations-beyond", "Beyond accuracy", header, rows, 2, pd.DataFrame(values), notes),
        heading_of=heading_of,
    )


def _recommendation_rows(
    metrics: Values, axes: Values, suffix: str, comparison_of: dict[tuple[str, str, str], Values]
) -> tuple[list[list[str]], pd.DataFrame]:
    columns = _ranking_columns(metrics, suffix)
    rows, values = [], []
    for catalogue, arm, name in _list_scored_arms(metrics, axes):
        figures = metrics[arm][name]
        cells = [format_value(c, figures.get(c)) + mark(comparison_of.get((name, catalogue, c))) for c in columns]
        rows.append([catalogue, name_of(name), *cells])
        values.append({"catalogue": catalogue, "recommender": name} | {c: figures.get(c) for c in columns})
    if "unfilled" in axes["texts"] and "all" in axes["catalogues"]:
        rows.append(["unfilled", "recommenders without texts", *["same"] * len(columns)])
    return rows, pd.DataFrame(values)


def _list_scored_arms(metrics: Values, axes: Values) -> list[tuple[str, str, str]]:
    return [arm for arm in _recommendation_arms(axes) if arm[2] in metrics.get(arm[1], {})]


def _recommendation_arms(axes: Values) -> list[tuple[str, str, str]]:
    """(catalogue as shown, arm, recommender): what needs no text on either catalogue, what does on every text."""
    plain = list_catalogue_recommenders(
        axes["recommenders"], axes["warm_content_recommenders"], axes["warm_image_features"]
    )
    arms: list[tuple[str, str, str]] = []
    for text in ("original", "augmented", "augmented-pt", "unfilled"):
        catalogue = CATALOGUE_OF[text]
        if catalogue in axes["catalogues"] and text in (
            "original",
            "augmented",
        ):  # without texts, the others are augmented
            arms += [(text, catalogue, name) for name in plain]
        if text in axes["texts"]:
            arms += [
                (text, text, name)
                for name in list_text_recommenders(axes["warm_content_recommenders"], axes["warm_text_features"])
            ]
    return arms


def _ranking_columns(metrics: Values, suffix: str) -> list[str]:
    """Return NDCG, then Elliot's MAP, at every cutoff of the study."""
    known = {metric for arm in metrics.values() for values in arm.values() for metric in values}
    matches = [re.fullmatch(rf"(ndcg|map_elliot)_(\d+){suffix}", metric) for metric in known]
    keys = sorted((match[1] != "ndcg", int(match[2]), match[0]) for match in matches if match)
    return [metric for _, _, metric in keys]


def _head_rankings(frame: pd.DataFrame) -> dict[str, str]:
    """Return the heading of each metric: `MAP-Elliot@5` for `map_elliot_5_common`."""
    names = {str(column): str(column).removesuffix("_common").rpartition("_") for column in frame.columns[2:]}
    shown_as = {"ndcg": "NDCG", "map_elliot": "MAP-Elliot"}
    return {column: f"{shown_as[name]}@{cutoff}" for column, (name, _, cutoff) in names.items()}


def catalogue_differences_table(comparisons: list[Values], cutoff: int) -> Table:
    """Return the differences between augmented, original and unfilled."""
    return differences_table(
        *("catalogues", "What the extra articles and their captions change", "Recommender", comparisons),
        _label_arms,
        [f"NDCG@{cutoff} on the articles in common, users of both. {INTERVALS}; not tested."],
    )


def masked_table(comparisons: list[Values], cutoff: int) -> Table:
    """Return the warm case: only the descriptions of the test garments differ between a and b."""
    rows = [row for row in comparisons if row["metric"].startswith("ndcg_masked")]
    notes = [
        f"NDCG@{cutoff} where only the test garments count as purchases. Their descriptions are replaced by the "
        "fine-tuned caption (ft), the pre-trained caption (pt), nothing (none), or are their own (reference); "
        "articles, purchases and split stay the same.",
        f"Users who bought one of those garments in the test period. {INTERVALS}; not tested.",
    ]
    return differences_table(
        "masked", "Warm items: differences between captions", "Recommender", rows, _label_arms, notes
    )


def masked_all_table(comparisons: list[Values], cutoff: int) -> Table:
    """Return the differences of the same texts and users on everything that these users bought."""
    rows = [row for row in comparisons if not row["metric"].startswith("ndcg_masked")]
    notes = [f"NDCG@{cutoff} on everything that the same users bought in the test period. {INTERVALS}; not tested."]
    title = "Warm items: the same users on all garments"
    return differences_table("masked-all", title, "Recommender", rows, _label_arms, notes)


SLICES_SHOWN = (("ft", "pt"), ("augmented", "original"), ("augmented", "unfilled"))  # printed; the CSV has all


def slices_table(comparisons: list[Values], cutoff: int) -> Table:
    """Return the differences on parts of users and items, for recommenders that read texts; the CSV has all rows."""
    rows = [row for row in comparisons if (row["a"], row["b"]) in SLICES_SHOWN and split_name(row["recommender"])[1]]
    notes = [
        f"NDCG@{cutoff} of parts of the test side; ft and pt are the masked texts. masked, product in training, "
        "written, cold items, warm items and categories: only such items count as purchases; users who meet masked, "
        "users who meet written, cold users, warm users: all purchases of such users. written: garments without a "
        f"description of their own. Cold is what few bought, or who bought little (rec_score). {INTERVALS}; not "
        "tested."
    ]
    first = "Slice, recommender"
    table = differences_table("slices", "Differences by slice", first, rows, _label_slice, notes)
    return replace(table, frame=pd.DataFrame(comparisons))


def _label_slice(row: Values) -> list[str]:
    kind, _, category = row["slice"].partition(":")
    label = f"category {category}" if category else kind.replace("_", " ")
    return [f"{label}, {name_of(row['recommender'])}", f"{row['a']} − {row['b']}"]


def _label_arms(row: Values) -> list[str]:
    return [name_of(row["recommender"]), f"{row['a']} − {row['b']}"]
