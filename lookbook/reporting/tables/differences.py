"""The columns of every table of differences: both arms, difference with interval, p, wins, ties, losses, power."""

from collections.abc import Callable

import pandas as pd

from lookbook.reporting.formatting import Table, Values, format_interval, format_p, format_value, mark

SMALLEST = "Smallest: the true difference that such a test finds in 4 of 5 cases (two-sided, 5 %, not corrected)."

COLUMNS = {  # heading -> columns of metrics/comparison.json, whose `a` and `b` are the names of the arms
    "a": ("mean_a",),
    "b": ("mean_b",),
    "a − b [95 %]": ("difference", "low", "high"),
    "p": ("p", "p_holm"),
    "n": ("n",),
    "Win / tie / loss": ("wins", "ties", "losses"),
    "Smallest": ("detectable",),
}


def differences_table(
    name: str, title: str, first: str, rows: list[Values], labels: Callable[[Values], list[str]], notes: list[str]
) -> Table:
    """Return a row per comparison.

    Args:
        name: The name of the table's files.
        title: Its title.
        first: The heading of its first column.
        rows: Rows of metrics/comparison.json.
        labels: Returns the first two cells of a row.
        notes: Sentences below the table; `SMALLEST` is added.
    """
    header = [first, "Compared", *COLUMNS]
    body = []
    for row in rows:
        metric = row["metric"]
        figures = [format_value(metric, row["mean_a"]), format_value(metric, row["mean_b"])]
        if row.get("same_by_construction"):
            body.append([*labels(row), *figures, "same by construction", "", f"{row['n']:,}", "", ""])
            continue
        if row["ties"] == row["n"] and row["low"] == row["high"] == 0:  # the same lists, as where no text differs
            body.append([*labels(row), *figures, "same for all", "", f"{row['n']:,}", "", ""])
            continue
        counts = f"{row['wins']:,} / {row['ties']:,} / {row['losses']:,}"
        body.append(
            [
                *labels(row),
                *figures,
                format_interval(metric, row) + mark(row),
                format_p(row["p_holm"]),
                f"{row['n']:,}",
                counts,
                format_value(metric, row.get("detectable")),
            ]
        )
    return Table(
        *(name, title, header, body, 2, pd.DataFrame(rows), [*notes, SMALLEST]),
        heading_of={column: heading for heading, columns in COLUMNS.items() for column in columns},
    )
