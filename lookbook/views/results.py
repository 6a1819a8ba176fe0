"""The comparisons of a study as rows that can be shown, their intervals as a figure, and the tables of the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from catalogue.descriptions.variants import CATALOGUE_OF, name_masked_text
from lookbook.comparison.rows import read_comparison
from lookbook.reporting.formatting import Values, format_p, format_value, is_known, mark
from lookbook.reporting.ranked import PICTURES
from lookbook.views.people import Experiment, list_rankings
from lookbook.views.rendering import render
from lookbook.views.study import COMPARISON, Study, require_stage

TABLES = Path("reports/tables")
GROUPS = ("arrivals", "captions", "masked", "catalogues", "slices")  # those of differences
DRAWN = 40  # intervals at most
NOTHING_KNOWN = "nothing known"  # of the difference: fewer than two products tell of it
Arms = dict[tuple[Experiment, str], list[str]]


def list_groups(study: Study) -> list[str]:
    """List the groups of comparisons that have rows."""
    comparison = read_comparison(require_stage(study, COMPARISON))
    return [group for group in GROUPS if comparison.get(group)]


def read_rows(study: Study, group: str) -> list[dict[str, Any]]:
    """Read the comparisons of a group, with their figures as they are printed.

    Returns:
        For each: table, of (captioner or recommender, with the slice), recommender, recommender_b, slice, metric, a, b,
        difference, low, high, shown, interval, p, claimed, known: whether anything is known of the difference.
    """
    rows = read_comparison(require_stage(study, COMPARISON)).get(group, [])
    return [_describe(group, row) for row in rows if row.get("low") is not None]


def _describe(group: str, row: Values) -> dict[str, Any]:
    metric = str(row["metric"])
    low, high = (format_value(metric, row[key], True) for key in ("low", "high"))
    known = is_known(row)
    part = f", {row['slice']}" if row.get("slice") else ""
    return {
        "table": group,
        "of": str(row.get("captioner") or row.get("recommender") or "") + part,
        **{key: str(row.get(key) or "") for key in ("recommender", "recommender_b", "slice")},
        "metric": metric,
        **{key: row[key] for key in ("a", "b", "difference", "low", "high")},
        "shown": format_value(metric, row["difference"], True),
        "interval": f"[{low}, {high}]" if known else NOTHING_KNOWN,
        "p": format_p(row.get("p_holm")),
        "claimed": bool(mark(dict(row))) if row.get("claimed") is None else row["claimed"],
        "known": known,
    }


def list_arms(study: Study) -> Arms:
    """List the arms whose lists the page Customers shows: (experiment, recommender) -> arms."""
    experiments: tuple[Experiment, ...] = ("arrivals", "warm")
    return {(name, key): arms for name in experiments for key, arms in list_rankings(study, name).items()}


def find_lists(row: Mapping[str, Any], known: Arms) -> dict[str, str]:
    """Find the choices of the page Customers that show the lists of a comparison; empty where there are none.

    Args:
        row: Of `read_rows`.
        known: Of `list_arms`.
    """
    experiment: Experiment = "arrivals" if row["table"] == "arrivals" else "warm"
    names = {"recommender": row["recommender"], "recommender_b": row["recommender_b"]}
    first, other = names["recommender"], names["recommender_b"] or names["recommender"]
    a, b = (
        next((arm for arm in _name_arms(row[key]) if arm in known.get((experiment, recommender), [])), "")
        for key, recommender in (("a", first), ("b", other))
    )
    if not (a and b) or (first, a) == (other, b):
        return {}
    return {"experiment": experiment, **names, "a": a, "b": b, "slice": row["slice"]}


def _name_arms(name: str) -> list[str]:
    """List the arms whose lists a name of a comparison may mean.

    `ft` is masked-ft, of recommenders without words only catalogues count, and pictures are named by their features.

    >>> _name_arms("augmented"), _name_arms("pictures-resnet50")[-1]
    (['augmented', 'masked-augmented', 'all'], 'pictures')
    """
    pictures = [PICTURES] if name.startswith(f"{PICTURES}-") else []
    return [name, name_masked_text(name), CATALOGUE_OF.get(name, name), *pictures]


def draw_intervals(rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw the intervals of comparisons in HTML; the table beside it says the same in figures.

    Where nothing is known of a difference, its interval is all that is possible: it is not drawn, and sets no scale.
    Not in SVG: Streamlit drops it from the HTML that it shows.
    """
    rows = rows[:DRAWN]
    if not rows:
        return render("note", lines=["No comparison is in this selection."])
    ends = [0.0, *(float(row[key]) for row in rows if row["known"] for key in ("low", "high"))]
    least, most = min(ends), max(ends)
    scale = 100 / ((most - least) or 1.0)

    def place(value: float) -> float:
        return round((value - least) * scale, 2)

    lines = [
        {"label": f"{row['of']}: {row['a']} − {row['b']}", "claimed": row["claimed"], "known": row["known"]}
        | {key: place(float(row[key])) for key in ("low", "high", "difference")}
        for row in rows
    ]
    metric = rows[0]["metric"]
    limits = [format_value(metric, end, True) if end else "" for end in (least, most)]
    return render("intervals", lines=lines, zero=place(0.0), ends=limits, unknown=NOTHING_KNOWN)


def list_tables(study: Study) -> list[str]:
    """List the tables of the report."""
    return sorted(path.stem for path in (study.root / TABLES).glob("*.csv"))


def read_table(study: Study, name: str) -> pl.DataFrame:
    """Read a table of the report; a column without figures is read as text."""
    return pl.read_csv(study.root / TABLES / f"{name}.csv", infer_schema_length=None)
