"""Days and moments in every form: as the datetime module of Python reads them, or refused."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells.times import UNITS, NoTimeError, read_days, read_seconds

DAY = (date(2023, 1, 10) - date(1970, 1, 1)).days
MOMENTS = st.datetimes(datetime(1974, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(microsecond=0))
ZONES = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-10",
        "2023-01-10 14:00:22",
        "2023-01-10T14:00",
        "2023-01-10T14:00:22.123456",
        "2023-01-10T14:00:22Z",
        "2023-01-10T23:30:00-05:00",
        "2023-01-10 00:30:00+0200",
        "2023-01-10 14:00:22 UTC",
        " 2023-01-10 ",
        "2023/01/10",
        "20230110",
        "1673359222",
        "1673359222.5",
        "1673359222000",
        "1673359222000000",
        "1673359222000000000",
    ],
)
def test_every_form_of_a_day_is_that_day(text: str) -> None:
    assert read_days(pa.array([text])).to_pylist() == [DAY]
    assert read_days(pa.array([text, "2023-01-10", text])).to_pylist() == [DAY] * 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.01.2023",
        "01/10/2023",
        "2023-02-30",
        "2023-0110",
        "2023-01-10 25:00",
        "19367",
        "1.67336E+12",
        "16733592220",
        "soon",
        "-5",
    ],
)
def test_what_is_no_day_is_named(text: str) -> None:
    for texts in ([text], ["2023-01-10", text], ["1673359222000", text]):
        with pytest.raises(NoTimeError, match=r"is no day .*a day is written as 2018-09-20"):
            read_days(pa.array(texts))


@given(st.lists(MOMENTS, min_size=1), ZONES)
def test_moments_are_those_of_datetime(moments: list[datetime], zone: timezone) -> None:
    texts = [moment.replace(tzinfo=zone).isoformat() for moment in moments]
    expected = [moment.replace(tzinfo=zone).timestamp() for moment in moments]
    assert read_seconds(pa.chunked_array([texts])).tolist() == expected
    assert read_days(pa.array(texts)).to_pylist() == [(moment.date() - date(1970, 1, 1)).days for moment in moments]


@pytest.mark.parametrize("unit", UNITS)
@given(st.lists(MOMENTS, min_size=1))
def test_numbers_of_every_unit_are_the_same_moments(unit: str, moments: list[datetime]) -> None:
    seconds = [int(moment.replace(tzinfo=UTC).timestamp()) for moment in moments]
    numbers = pa.chunked_array([[second * int(UNITS[unit]) for second in seconds]])
    texts = numbers.cast(pa.string())
    assert read_seconds(numbers) == pytest.approx(seconds, abs=1e-6)
    assert read_seconds(texts) == pytest.approx(seconds, abs=1e-6)
    assert read_days(texts.combine_chunks()).to_pylist() == [second // 86_400 for second in seconds]


@pytest.mark.parametrize(
    "kind",
    [
        pa.timestamp("s"),
        pa.timestamp("ms", "UTC"),
        pa.timestamp("us", "Europe/Vienna"),
        pa.timestamp("ns"),
        pa.date32(),
    ],
)
def test_parquets_own_types_are_read(kind: pa.DataType) -> None:
    midnight = datetime(2023, 1, 10, tzinfo=UTC)
    column = pa.chunked_array([pa.array([int(midnight.timestamp())]).cast(pa.timestamp("s")).cast(kind, safe=False)])
    if kind.equals(pa.timestamp("us", "Europe/Vienna")):
        column = pa.chunked_array([pa.array([midnight], kind)])
    assert read_seconds(column).tolist() == [midnight.timestamp()]


def test_a_missing_moment_stays_missing() -> None:
    for column in ([1673359222, None], ["1673359222", None], ["1673359222", ""]):
        seconds = read_seconds(pa.chunked_array([column]))
        assert seconds[0] == 1673359222
        assert np.isnan(seconds[1])


@pytest.mark.parametrize("column", [[7.0], [19367], [1e10], [True], ["7"], [-1673359222]])
def test_a_number_that_counts_something_else_is_refused(column: list) -> None:
    with pytest.raises(NoTimeError, match="is no day"):
        read_seconds(pa.chunked_array([column]))
