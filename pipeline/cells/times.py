"""Days and moments as other programs write them: dates, dates with a time and a zone, and numbers since 1970.

A number since 1970 may count seconds, milliseconds, microseconds or nanoseconds. Which of them it counts follows from
its size, because the ranges of the years 1973 to 2286 do not overlap. What lies in none of them is refused: it may be a
number of days, or a running number.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}  # in a second
FIRST, LAST = 1e8, 1e10  # seconds since 1970: 1973 and 2286
SECONDS_A_DAY = 86_400
DATE = r"(?P<year>\d{4})[-/.]?(?P<month>\d{2})[-/.]?(?P<day>\d{2})"
CLOCK = r"(?P<clock>(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?)(?:[.,]\d+)?"
ZONE = r"(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
MOMENT = rf"^{DATE}(?:[T ]+{CLOCK} ?{ZONE})?$"
ONE_SIGN = r"^(?:\d{4}-\d{2}-\d{2}|\d{4}/\d{2}/\d{2}|\d{4}\.\d{2}\.\d{2}|\d{8})(?:[T ]|$)"  # not 2018-0920
NUMBER = r"^\d{9,19}(\.\d*)?$"
ALLOWED = (
    "a day is written as 2018-09-20, with or without a time (2018-09-20T14:00:22+02:00), or as seconds, milliseconds, "
    "microseconds or nanoseconds since 1970"
)


class NoTimeError(ValueError):
    """Says that a value is no time; `value` is the first such value, `count` how many there are."""

    def __init__(self, value: object, count: int) -> None:
        super().__init__(f"{value!r} is no day ({count} such value{'s' * (count > 1)}); {ALLOWED}")


def read_days(texts: pa.Array) -> pa.Array:
    """Convert texts to days since 1970, int32. The day of a moment with a zone is the day that is written.

    >>> read_days(pa.array(["1970-01-03", "1970-01-03T23:59:00-05:00", "1577836800", "1577836800000"])).to_pylist()
    [2, 2, 18262, 18262]

    Raises:
        NoTimeError: a text is no day.
    """
    try:
        return pc.cast(pc.cast(texts, pa.date32()), pa.int32())  # as most files have it, and fast
    except pa.ArrowInvalid:
        distinct = pc.dictionary_encode(pc.utf8_trim_whitespace(texts))
        days = _read_seconds(distinct.dictionary, with_zone=False) // SECONDS_A_DAY
        return pa.array(days.astype(np.int32)).take(distinct.indices)


def read_seconds(column: pa.ChunkedArray) -> np.ndarray:
    """Convert moments of any type to seconds since 1970, float64; NaN where one is missing.

    Texts are read as by `read_days`; a moment without a zone is UTC.

    Raises:
        NoTimeError: a value is no moment.
    """
    if pa.types.is_temporal(column.type) and not (pa.types.is_time(column.type) or pa.types.is_duration(column.type)):
        moments = column.cast(pa.timestamp("us"), safe=False)
        return pc.fill_null(
            pc.divide(pc.cast(moments.cast(pa.int64()), pa.float64(), safe=False), 1e6), np.nan
        ).to_numpy()
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return scale_numbers(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy())
    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise NoTimeError(column[0].as_py() if len(column) else None, len(column))
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()).combine_chunks())
    is_number = pc.fill_null(pc.match_substring_regex(texts, r"^(\d{9,}(\.\d*)?)?$"), True)
    if pc.all(is_number).as_py():  # fast
        numbers = pc.cast(pc.if_else(pc.equal(texts, ""), None, texts), pa.float64())
        return scale_numbers(pc.fill_null(numbers, np.nan).to_numpy(zero_copy_only=False))
    return _read_seconds(texts, with_zone=True)


def scale_numbers(values: np.ndarray) -> np.ndarray:
    """Convert numbers since 1970 of any of `UNITS` to seconds; NaN stays.

    >>> scale_numbers(np.array([1577836800, 1577836800000, 1577836800e6, 1577836800e9])).tolist()
    [1577836800.0, 1577836800.0, 1577836800.0, 1577836800.0]

    Raises:
        NoTimeError: a number is in the range of no unit.
    """
    seconds = np.where(np.isnan(values), np.nan, -np.inf)
    for factor in UNITS.values():
        with np.errstate(invalid="ignore"):
            fits = (values >= FIRST * factor) & (values < LAST * factor)
        seconds[fits] = values[fits] / factor
    wrong = np.flatnonzero(np.isneginf(seconds))
    if len(wrong):
        raise NoTimeError(float(values[wrong[0]]), len(wrong))
    return seconds


def _read_seconds(texts: pa.Array, with_zone: bool) -> np.ndarray:
    """Convert texts to seconds since 1970, by the clock of their zone or by the clock that is written."""
    parts = pc.extract_regex(texts, MOMENT)
    seconds = np.full(len(texts), np.nan)
    is_number = np.array(pc.fill_null(pc.match_substring_regex(texts, NUMBER), False))
    has_one_sign = np.array(pc.fill_null(pc.match_substring_regex(texts, ONE_SIGN), False))
    is_moment = np.array(pc.fill_null(pc.is_valid(parts), False)) & has_one_sign & ~is_number
    wrong = np.flatnonzero(~is_number & ~is_moment)
    if len(wrong):
        raise NoTimeError(texts[int(wrong[0])].as_py(), len(wrong))
    if is_number.any():
        numbers = pc.cast(texts.filter(pa.array(is_number)), pa.float64())
        seconds[is_number] = scale_numbers(numbers.to_numpy(zero_copy_only=False))
    if is_moment.any():
        chosen = pa.array(is_moment)
        seconds[is_moment] = _add_parts(parts.filter(chosen), texts.filter(chosen), with_zone)
    return seconds


def _add_parts(parts: pa.StructArray, texts: pa.Array, with_zone: bool) -> np.ndarray:
    year, month, day, clock, zone = (parts.field(name) for name in ("year", "month", "day", "clock", "zone"))
    dates = pc.binary_join_element_wise(year, month, day, "-")
    try:
        days = np.array(pc.cast(pc.cast(dates, pa.date32()), pa.int32()), dtype=np.float64)
    except pa.ArrowInvalid:
        first = next(text for text, date in zip(texts, dates, strict=True) if not _is_date(date))
        raise NoTimeError(first.as_py(), 1) from None
    if not with_zone:
        return days * SECONDS_A_DAY
    return days * SECONDS_A_DAY + _map_distinct(_count_seconds, clock) - _map_distinct(_read_shift, zone)


def _map_distinct(function: Callable[[str], int], texts: pa.Array) -> np.ndarray:
    """Call a function once for each different text: (n_texts,)."""
    distinct = pc.dictionary_encode(pc.fill_null(texts, ""))
    values = np.array([function(text) for text in distinct.dictionary.to_pylist()], dtype=np.float64)
    return values[distinct.indices.to_numpy()]


def _is_date(text: pa.Scalar) -> bool:
    try:
        text.cast(pa.date32())
    except pa.ArrowInvalid:
        return False
    return True


def _count_seconds(clock: str) -> int:
    """Count the seconds of `14:00:22` since midnight."""
    hours, minutes, seconds, *_ = [*map(int, clock.split(":")), 0] if clock else [0, 0, 0]
    return 3600 * hours + 60 * minutes + seconds


def _read_shift(zone: str) -> int:
    """Read the seconds by which `+02:00` is before UTC."""
    if not zone or zone in ("Z", "UTC", "GMT"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (1 if zone[0] == "+" else -1) * (3600 * int(digits[:2]) + 60 * int(digits[2:]))
