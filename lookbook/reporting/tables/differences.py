"""The shape of every table of differences: both arms, their difference with its interval, p, wins, ties, losses, power."""

from collections.abc import Callable

import pandas as pd

from lookbook.reporting.formatting import Table, Values, interval, mark, probability, shown

SMALLEST = "Smallest: the true difference that such a test finds in 4 of 5 cases (two-sided, 5 %, not corrected)."


def differences_table(
    name: str, title: str, first: str, rows: list[Values], labels: Callable[[Values], list[str]], notes: list[str]
) -> Table:
    """a, b, a - b with its interval, p, number, wins / ties / losses, and the smallest difference that could be shown."""
    header = [first, "Compared", "a", "b", "a − b [95 %]", "p", "n", "Win / tie / loss", "Smallest"]
    body = []
    for row in rows:
        metric = row["metric"]
        figures = [shown(metric, row["mean_a"]), shown(metric, row["mean_b"])]
        if row.get("same_by_construction"):
            body.append([*labels(row), *figures, "same by construction", "", f"{row['n']:,}", "", ""])
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
                shown(metric, row.get("detectable")),
            ]
        )
    return Table(name, title, header, body, 2, pd.DataFrame(rows), [*notes, SMALLEST])
