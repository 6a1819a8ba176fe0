"""The table of the warm case: test garments that keep their purchases, with the floors that read no caption."""

from collections.abc import Iterator

import pandas as pd

from catalogue.descriptions.variants import name_masked_text
from lookbook.reporting.formatting import ONE_RUN, Table, Values, format_value, name_of
from recsys.scoring.arms import list_text_recommenders

CATALOGUE = "original"  # the masked texts describe its items
WORDS = {  # source of a masked text -> how the table names it
    "reference": "the shop's own description",
    "ft": "FT caption",
    "pt": "PT caption",
    "none": "no words",
}


def warm_table(metrics: Values, axes: Values, cutoff: int) -> Table | None:
    """Return NDCG on the test garments, a row per recommender and text; None where no masked text was scored.

    Args:
        metrics: metrics/recommendations.json.
        axes: The axes of the study, as `recommendations_table` takes them.
        cutoff: The length of the lists that count.
    """
    columns = [f"ndcg_masked_{cutoff}", f"ndcg_{cutoff}"]
    arms = [(arm, name, words) for arm, name, words in _list_arms(axes) if columns[0] in _read(metrics, arm, name)]
    if not any(arm != CATALOGUE for arm, _, _ in arms):
        return None
    body, frame = [], []
    for arm, name, words in arms:
        figures = _read(metrics, arm, name)
        body.append([words, name_of(name), *(format_value(column, figures.get(column)) for column in columns)])
        frame.append({"arm": arm, "recommender": name} | {column: figures.get(column) for column in columns})
    notes = [
        "The same test garments as above, but their purchases stay in training: the warm case. Floors read no "
        "caption: no content knows purchases alone, pictures only has no words.",
        f"First column: NDCG@{cutoff} where only the test garments count as purchases. Second: where everything does.",
        ONE_RUN,
    ]
    header = ["The garments' words", "Recommender", "On the garments", "On all items"]
    return Table(
        *("warm", "The same garments with their purchases", header, body, 2, pd.DataFrame(frame), notes),
        heading_of=dict(zip(columns, header[2:], strict=True)),
    )


def _list_arms(axes: Values) -> Iterator[tuple[str, str, str]]:
    """Yield (arm, recommender, words): the floors, then the masked texts from nothing to the shop's own words."""
    recommenders = axes["warm_content_recommenders"]
    for name in axes["recommenders"]:
        yield CATALOGUE, name, "floor: no content"
    for name in list_text_recommenders(recommenders, axes["warm_image_features"]):
        yield CATALOGUE, name, "floor: pictures only"
    for source in reversed(WORDS):
        for name in list_text_recommenders(recommenders, axes["warm_text_features"]):
            yield name_masked_text(source), name, WORDS[source]


def _read(metrics: Values, arm: str, name: str) -> Values:
    return metrics.get(arm, {}).get(name, {})
