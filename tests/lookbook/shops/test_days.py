"""Days of orders: any day is read back from each way to write it, and never as another day."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookbook.shops.days import cut_day, find_order

DAYS = st.lists(st.dates(date(1990, 1, 1), date(2040, 12, 31)), min_size=1, max_size=8)
FORMS = {"day first": "{0.day:02}/{0.month:02}/{0.year}", "month first": "{0.month}/{0.day}/{0.year} 10:30"}


@pytest.mark.parametrize("form", FORMS)
@given(days=DAYS)
def test_a_column_is_read_as_it_was_written_or_left_alone(form: str, days: list[date]) -> None:
    cells = [FORMS[form].format(day) for day in days]
    order = find_order(cells)
    assert order == (form if any(day.day > 12 for day in days) else "unknown")
    expected = cells if order == "unknown" else [day.isoformat() for day in days]
    assert [cut_day(cell, order) for cell in cells] == expected


@given(
    DAYS, st.sampled_from(["{0.day}.{0.month}.{0.year}", "{0:%Y-%m-%d}T10:00:00Z", "{0.year}-{0.month}-{0.day}, 9:00"])
)
def test_other_forms_need_no_column(days: list[date], form: str) -> None:
    for day in days:
        assert cut_day(form.format(day)) == day.isoformat()
