"""Comparisons of two sets: the mean difference, its slices and bins, and rows of results."""

import pytest

from lookbook.views.comparing import count_wins, estimate_difference, find_bins, list_slices, read_pairs, read_texts
from lookbook.views.rendering import render
from lookbook.views.results import draw_intervals, list_groups, read_rows
from lookbook.views.study import Study
from tests.helpers.hostile import HOSTILE

A, B = ("tiny-llava", "ft"), ("tiny-llava", "pt")


def test_the_difference_of_a_selection_is_that_of_its_pairs(viewed: Study) -> None:
    pairs = read_pairs(viewed, A, B, "cider")
    estimate = estimate_difference(pairs)
    assert estimate.difference == pytest.approx(pairs["difference"].mean())
    assert estimate.low < estimate.difference < estimate.high
    assert sum(count_wins(pairs)) == len(pairs) == find_bins(pairs)["items"].sum()
    turned = read_pairs(viewed, B, A, "cider")
    assert estimate_difference(turned).difference == pytest.approx(-estimate.difference)


def test_slices_are_parts_of_the_selection_largest_difference_first(viewed: Study) -> None:
    pairs = read_pairs(viewed, A, B, "cider")
    slices = list_slices(viewed, pairs)
    sizes = [abs(one.estimate.difference) for one in slices]
    assert sizes == sorted(sizes, reverse=True)
    categories = [one for one in slices if one.kind == "category"]
    assert sum(one.items for one in categories) <= len(pairs)


def test_the_reference_is_a_set_of_texts(viewed: Study) -> None:
    assert read_texts(viewed, ("reference", ""), ["0000000000"]) == {"0000000000": "red dress in soft cotton"}


def test_results_are_the_rows_of_the_comparison(viewed: Study) -> None:
    assert "arrivals" in list_groups(viewed)
    rows = read_rows(viewed, "arrivals")
    assert rows[0]["interval"].startswith("[")
    assert draw_intervals(rows).count("<circle") == 40
    assert "No comparison" in draw_intervals([])


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_data_become_no_markup(text: str) -> None:
    html = render("note", lines=[text]) + render(
        "table", header=[text], rows=[[{"text": text, "link": ""}]], title=text, first_number=9
    )
    assert "<script" not in html
    assert "<img" not in html
    assert "\u202e" not in html
