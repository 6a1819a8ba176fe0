"""Figures of warm items, catalogues and slices, and accuracy against coverage."""

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from lookbook.reporting.charts import Chart
from lookbook.reporting.charts.drawing import Panel, draw_bins, draw_frontier
from lookbook.reporting.charts.intervals import build_panel, chart_intervals
from lookbook.reporting.formatting import Values, name_of
from lookbook.reporting.results import Results
from lookbook.reporting.settings import ReportedStudy
from recsys.scoring.arms import build_name, split_name

MOST_SLICES = 40  # intervals of a panel
MOST_LINES = 6  # recommenders of the figure by number of buyers


def draw_recommendations(study: ReportedStudy, results: Results) -> Iterator[Chart | None]:
    """Yield the figures of recommendations."""
    comparison = results.comparison
    measure = f"NDCG@{comparison.get('cutoff')}"
    masked = [row for row in comparison["masked"] if row["metric"].startswith("ndcg_masked")]
    catalogues = [row for row in comparison["catalogues"] if not row["same_by_construction"]]
    grey = "95 % intervals, not tested."
    yield chart_intervals(
        "masked",
        f"Differences of NDCG on the test garments that keep their purchases; {grey}",
        [build_panel(f"{measure} on the masked garments", "difference", masked, _label_arms)],
    )
    yield chart_intervals(
        "catalogues",
        f"Differences of NDCG between catalogues and texts; {grey}",
        [build_panel(f"{measure} by catalogue", "difference", catalogues, _label_arms)],
    )
    yield chart_intervals(
        "slices",
        f"Fine-tuned minus pre-trained captions, and augmented minus original, by part of items and users; {grey} "
        "Parts of which nothing is known are left out.",
        _list_slice_panels(comparison["slices"], study.primary.name, measure),
    )
    yield _chart_frontier(results)
    yield _chart_cold(study, results)


def _list_slice_panels(rows: Sequence[Values], recommender: str, measure: str) -> list[Panel]:
    """Return the slices of the primary comparison's recommender, a panel for each pair of texts."""
    panels = []
    for a, b in (("ft", "pt"), ("augmented", "original")):
        of_pair = [row for row in rows if (row["recommender"], row["a"], row["b"]) == (recommender, a, b)]
        of_pair.sort(key=lambda row: row["slice"].startswith("category:"))  # stable
        title = f"{measure}, {name_of(recommender)}: {a} − {b}"
        ends = (f"{b} is better", f"{a} is better")
        rows_shown, name = of_pair[:MOST_SLICES], lambda row: _name_slice(row["slice"])
        panels.append(build_panel(title, "difference", rows_shown, name, ends))
    return panels


def _name_slice(name: str) -> str:
    kind, _, category = name.partition(":")
    return f"category {category}" if category else kind.replace("_", " ")


def _label_arms(row: Values) -> str:
    return f"{name_of(row['recommender'])}: {row['a']} − {row['b']}"


def _chart_frontier(results: Results) -> Chart | None:
    cutoff = results.comparison.get("cutoff")
    keys = (f"coverage_{cutoff}", f"ndcg_{cutoff}")
    catalogue = "original"
    figures = results.recommendations.get(catalogue, {})
    rows = [
        {"recommender": name_of(name), "coverage": values[keys[0]], "ndcg": values[keys[1]]}
        for name, values in figures.items()
        if all(key in values for key in keys) and split_name(name)[0] != "random"
    ]
    if len(rows) < 2:
        return None
    words = (
        f"NDCG@{cutoff} against coverage, the share of items that any list holds, in the catalogue {catalogue}. "
        "Up and to the right is better."
    )
    labels = (f"coverage of {cutoff} places", f"NDCG@{cutoff}")
    frame = pd.DataFrame(rows)
    return Chart("frontier", words, frame, partial(draw_frontier, frame, "coverage", "ndcg", labels))


def _chart_cold(study: ReportedStudy, results: Results) -> Chart | None:
    """Return NDCG by how many customers bought an item: neighbours, and content recommenders on pictures and words."""
    table = results.by_buyers
    names = [name for name in _list_compared(study) if not table.empty and name in set(table["recommender"])]
    if not names:
        return None
    chosen = table[table["recommender"].isin(names)]
    bins = list(dict.fromkeys(chosen["slice"]))
    values = chosen.pivot(index="slice", columns="recommender", values="ndcg").reindex(index=bins)
    lines = {name_of(name): values[name].tolist() for name in names}
    measure = f"NDCG@{table.attrs['cutoff']}"
    words = (
        f"{measure} on items of the catalogue original, by how many customers bought them in training: cold items at "
        "the left. Each point is over the customers who bought such an item in test; the CSV has their number. No "
        "intervals."
    )
    labels = ("customers who bought the item in training", measure)
    shown = [name.partition(":")[2].replace("-", "–") for name in bins]
    shown = [f"≥ {name[:-1]}" if name.endswith("–") else name for name in shown]
    return Chart("cold", words, chosen.reset_index(drop=True), partial(draw_bins, lines, shown, labels))


def _list_compared(study: ReportedStudy) -> list[str]:
    """List recommenders by neighbours, and each content recommender on its first pictures and words."""
    words = sorted(study.warm_text_features, key=lambda name: name != study.primary.features)  # stable
    features = [*study.warm_image_features[:1], *words[:1]]
    content = [build_name(name, one) for name in study.warm_content_recommenders for one in features]
    return [*(name for name in study.recommenders if name.endswith("knn")), *content][:MOST_LINES]
