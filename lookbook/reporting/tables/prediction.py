"""The table of caption scores that predict recommendations, or do not."""

from collections.abc import Sequence

import pandas as pd

from lookbook.reporting.formatting import CAPTION_COLUMNS, Table, Values, format_value, name_of

PLACES = (("sources", "slope"), ("sources", "spearman"), ("garments", "spearman"))
HEADINGS = ("NDCG per standard deviation", "Rank correlation, sources", "Rank correlation, garments")


def prediction_table(rows: Sequence[Values]) -> Table | None:
    """Return a row per recommender and caption score; None where there is no such comparison.

    Args:
        rows: The table `prediction` of metrics/comparison.json.
    """
    rows = [row for row in rows if row["scope"] != "points"]
    if not rows:
        return None
    row_of = {(row["recommender"], row["metric"], row["scope"], row["statistic"]): row for row in rows}
    known = list(dict.fromkeys((row["recommender"], row["metric"]) for row in rows))
    order = {metric: place for place, metric in enumerate(CAPTION_COLUMNS)}
    known.sort(key=lambda pair: order.get(pair[1], len(order)))  # stable: recommenders stay in the order of the study
    recommenders = list(dict.fromkeys(row["recommender"] for row in rows))
    known.sort(key=lambda pair: recommenders.index(pair[0]))
    body: list[list[str]] = []
    for recommender, metric in known:
        cells = [_format_interval(row_of.get((recommender, metric, *place)), place[1]) for place in PLACES]
        body.append([name_of(recommender), CAPTION_COLUMNS.get(metric, str(metric)), *cells])
    counts = {scope: max((row["n"] for row in rows if row["scope"] == scope), default=0) for scope, _ in PLACES}
    notes = [
        f"Over sources: up to {counts['sources']} sources of captions, a point each. Captioners are few and are not "
        "resampled, so an interval says what other garments would change, not what other captioners would."
        if counts["sources"]
        else "Over sources: this study has too few sources of captions.",
        f"Within garments: up to {counts['garments']:,} pairs of a fine-tuned and a pre-trained caption; the gain in "
        "score against the gain of that garment in NDCG. Garments that no list holds gain nothing.",
        "95 % intervals: products resampled. Exploratory, so without p.",
    ]
    title = "Which caption score predicts the ranking of new arrivals?"
    header = ["Recommender", "Caption score", *HEADINGS]
    return Table("prediction", title, header, body, 2, pd.DataFrame(rows), notes)


def _format_interval(row: Values | None, statistic: str) -> str:
    if row is None:
        return ""
    if statistic == "slope":
        value, low, high = (format_value("ndcg", row[key], True) for key in ("value", "low", "high"))
    else:
        value, low, high = (f"{row[key]:+z.2f}".replace("-", "\N{MINUS SIGN}") for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
