"""Which comparisons a figure of intervals has."""

from lookbook.reporting.charts.intervals import build_panel, chart_intervals
from tests.helpers.arrivals import arrivals_row


def test_what_nothing_is_known_of_sets_no_scale() -> None:
    known, equal, unknown = (
        arrivals_row("a", "b", 0.01, 0.02, detectable=0.03),
        arrivals_row("a", "c", 0.0, 0.0, detectable=0.0),
        arrivals_row("a", "d", 0.0, 1.0, detectable=None),
    )
    panel = build_panel("title", "difference", [known, equal, unknown], lambda row: row["b"])
    assert [interval.label for interval in panel.intervals] == ["b", "c"]
    assert chart_intervals("slices", "words", [build_panel("title", "", [unknown], lambda row: row["b"])]) is None
