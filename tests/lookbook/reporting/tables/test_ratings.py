"""Tables and figures of ratings: what they print is what the analysis says, and a running round hides its results."""

from typing import Any

import pytest

from lookbook.ratings.rounds import Round
from lookbook.ratings.tables import Look
from lookbook.reporting.charts.ratings import draw_ratings
from lookbook.reporting.formatting import Table
from lookbook.reporting.latex import write_latex
from lookbook.reporting.tables.ratings import HIDDEN, NONE_COUNTS, list_rating_tables, preferences_table
from tests.helpers.ratings import analyse_said, toss
from tests.helpers.tables import list_without_columns

ROUND = Round(a="x-ft", b="x-pt", items=40, raters=2)
THREE = Round(a="x-ft", b="x-pt", others=["y-ft"], items=60)


@pytest.fixture(scope="module")
def finished() -> Any:
    return analyse_said(ROUND, {"ann": toss(ROUND, 0.8, 1), "bob": toss(ROUND, 0.7, 2)})


def list_by_name(ratings: Any) -> dict[str, Table]:
    return {table.name: table for table in list_rating_tables(ratings)}


def test_the_preference_is_printed_with_its_interval_and_its_counts(finished: Any) -> None:
    table = list_by_name(finished)["ratings"]
    pair = finished["rounds"]["first"]["questions"]["better"]["pairs"]["x-ft over x-pt"]
    [row] = table.rows
    assert row[:4] == ["first", "better", "x-ft over x-pt", "88 of 88"]
    assert row[4].startswith(f"{100 * pair['preference']:+.1f} [")
    signs = pair["sign_test"]
    assert row[7] == f"{signs['wins']} / {signs['ties']} / {signs['losses']}"
    record = table.frame.to_dict("records")[0]
    assert (record["a"], record["b"]) == ("x-ft", "x-pt")
    for key in ("preference", "low", "high", "p", "items"):
        assert record[key] == pair[key]
    assert record["verdicts_wins"] == pair["verdicts"]["wins"]


def test_scores_that_agree_come_first_and_every_rater_has_a_row(finished: Any) -> None:
    tables = list_by_name(finished)
    assert [row[2] for row in tables["ratings-scores"].rows] == ["CIDEr", "METEOR"]
    assert [row[1] for row in tables["ratings-raters"].rows] == ["ann", "bob"]
    agreement = tables["ratings-agreement"].frame.to_dict("records")[0]
    assert agreement["raw_share"] == finished["rounds"]["first"]["questions"]["better"]["agreement"]["raw"]
    assert "ratings-strengths" not in tables


def test_every_table_is_written_in_every_format(finished: Any) -> None:
    for table in list_rating_tables(finished):
        assert all(len(row) == len(table.header) for row in table.rows)
        assert table.markdown().startswith(f"## {table.title}")
        assert write_latex(table)
        assert len(table.frame) == len(table.rows)


def test_columns_of_figures_have_columns_of_the_csv(finished: Any) -> None:
    three = analyse_said(THREE, {"ann": toss(THREE, 0.8, 1), "bob": toss(THREE, 0.7, 2)})
    tables = list_by_name(finished) | list_by_name(three)
    assert len(tables) == 6
    for table in tables.values():
        assert list_without_columns(table) == []


def test_a_running_round_shows_its_counts_alone() -> None:
    running = analyse_said(ROUND, {"ann": toss(ROUND, 0.8, 1)}, shown=0.5)
    tables = list_by_name(running)
    assert set(tables) == {"ratings", "ratings-rounds"}
    assert tables["ratings"].rows[0][3:5] == ["22 of 88", HIDDEN]
    assert tables["ratings-rounds"].rows[0][1] == "running"
    assert list(draw_ratings(running)) == [None, None]


def test_a_finished_round_of_which_nothing_counts_is_not_called_hidden(finished: Any) -> None:
    figures = {name: value for name, value in finished["rounds"]["first"].items() if name != "questions"}
    table = preferences_table({"first": figures})
    assert table.rows[0][4] == NONE_COUNTS


def test_who_looked_early_stands_below_the_rounds() -> None:
    looked = analyse_said(ROUND, {"ann": toss(ROUND, 0.8, 1)}, 0.5, [Look("first", "ann", 20, "2026-01-02")])
    notes = list_by_name(looked)["ratings-rounds"].notes
    assert "first: somebody looked at the results after 20 judgements, 2026-01-02." in notes
    assert list_by_name(looked)["ratings"].rows[0][4] != HIDDEN


def test_three_arms_have_strengths() -> None:
    tables = list_by_name(analyse_said(THREE, {"ann": toss(THREE, 0.9, 3)}))
    assert {row[2] for row in tables["ratings-strengths"].rows} == {"x-ft", "x-pt", "y-ft"}
    assert len(tables["ratings"].rows) == 3


def test_a_study_without_ratings_has_neither_tables_nor_figures() -> None:
    assert list(list_rating_tables({})) == []
    assert list(draw_ratings({})) == [None, None]


def test_the_parts_of_a_bar_add_up_to_its_judgements(finished: Any) -> None:
    raters, agreement = draw_ratings(finished)
    assert raters is not None
    assert agreement is not None
    assert raters.frame["share"].sum() == pytest.approx(1)
    assert agreement.frame["difference"].iloc[0] > 0 > agreement.frame["difference"].iloc[1]
