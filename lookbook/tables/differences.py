"""The shape of every table of differences: both arms, their difference with its interval, p, wins, ties, losses."""

from collections.abc import Callable

import pandas as pd

from lookbook.printing import Table, Values, interval, mark, probability, shown


def differences_table(
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
