"""Days of orders as programs write them: 1.4.2024 and 4/13/2024 beside 2024-04-01."""

import re
from collections.abc import Iterable
from typing import Literal

Order = Literal["day first", "month first", "unknown"]  # of 03/04/2024

END = r"(?=[T ,]|$)"
YEAR_FIRST = re.compile(rf"(\d{{4}})-(\d{{1,2}})-(\d{{1,2}}){END}")
YEAR_LAST = re.compile(rf"(\d{{1,2}})([./-])(\d{{1,2}})\2(\d{{4}}){END}")
MONTHS = 12


def find_order(cells: Iterable[str | None]) -> Order:
    """Find which of the first two numbers is the day, by all cells of a column: one above 12 is no month.

    >>> find_order(["03/04/2024", "13/04/2024"]), find_order(["03/04/2024", "04/13/2024"]), find_order(["03/04/2024"])
    ('day first', 'month first', 'unknown')
    """
    first = second = 0
    for cell in cells:
        found = YEAR_LAST.match(cell) if cell else None
        if found and found[2] != ".":
            first, second = max(first, int(found[1])), max(second, int(found[3]))
    if (first > MONTHS) == (second > MONTHS):
        return "unknown"
    return "day first" if first > MONTHS else "month first"


def cut_day(cell: str | None, order: Order = "unknown") -> str | None:
    """Write the day of a moment as 2024-03-11, as the shop meant it; what cannot be told stays as it is.

    Between dots the day stands first everywhere.

    >>> cut_day("2024-03-11 10:14:00 -0400"), cut_day("1.4.2024 14:05"), cut_day("03/04/2024", "month first")
    ('2024-03-11', '2024-04-01', '2024-03-04')
    >>> cut_day("03/04/2024"), cut_day("1710150000")
    ('03/04/2024', '1710150000')
    """
    if cell and (found := YEAR_FIRST.match(cell)):
        year, month, day = found.groups()
    elif cell and (found := YEAR_LAST.match(cell)) and (found[2] == "." or order != "unknown"):
        day, _, month, year = found.groups()
        if found[2] != "." and order == "month first":
            day, month = month, day
    else:
        return cell
    return f"{year}-{month:0>2}-{day:0>2}"
