"""The tables of new arrivals: figures of the JSON files, intervals turned round, pictures and floors."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lookbook.reporting.ranked import Ranked
from lookbook.reporting.tables.arrivals import CANNOT, ELSEWHERE, all_items_table, arrivals_table, findings_table
from tests.helpers.arrivals import QUALITY, arrivals_row, row_with_finding, write_arrivals

FT, PT = "tiny-llava-ft", "tiny-llava-pt"
NAMES = ["vbpr-sbert", "contentknn-sbert", "vbpr-resnet50", "contentknn-resnet50"]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("study")
    (folder / "data/prepared").mkdir(parents=True)
    ids = [f"{number:010}" for number in range(40)]
    items = pd.DataFrame({"item_id": ids, "original": True, "split": "test", "group": [n // 2 for n in range(40)]})
    items.to_parquet(folder / "data/prepared/items.parquet", index=False)
    write_arrivals(folder, NAMES, ["tiny-llava"], ["resnet50"])
    return {name: json.loads(Path(folder / f"metrics/arrivals/{name}.json").read_text()) for name in NAMES}


def ranked(metrics: dict[str, Any], *rows: dict[str, Any]) -> Ranked:
    return Ranked(metrics, rows, ["vbpr", "contentknn"], ["resnet50"], "tiny-llava")


def test_every_source_has_its_row_and_its_figures(metrics: dict[str, Any]) -> None:
    table = arrivals_table(ranked(metrics), "sbert", "arrivals")
    frame = table.frame.set_index("source")
    assert len(frame) == len(QUALITY) + 1  # and the pictures
    for source, figures in metrics["vbpr-sbert"]["sources"].items():
        assert frame.loc[source, "vbpr"] == figures["ndcg_12"]
        assert frame.loc[source, "contentknn"] == metrics["contentknn-sbert"]["sources"][source]["ndcg_12"]
        assert frame.loc[source, "similarity"] == figures["similarity"]
    assert frame.loc["pictures", "vbpr"] == metrics["vbpr-resnet50"]["sources"]["pictures"]["ndcg_12"]
    assert frame.loc["pictures", "features"] == "resnet50"
    assert table.header[1] == "VBPR sbert"
    row = next(row for row in table.rows if row[0] == "FT caption, tiny-llava")
    assert row[1] == f"{metrics['vbpr-sbert']['sources'][FT]['ndcg_12']:.4f}"
    assert {len(row) for row in table.rows} == {len(table.header)}


def test_a_recommender_without_content_is_a_row_that_says_so(metrics: dict[str, Any]) -> None:
    assert arrivals_table(ranked(metrics), "sbert", "arrivals").rows[-1][:2] == ["no content (BPR-MF, kNN)", CANNOT]


def test_captions_and_what_takes_their_place_are_ranked_alone(metrics: dict[str, Any]) -> None:
    """A second true description is a ceiling: it must not be the best of a column."""
    table = arrivals_table(ranked(metrics), "sbert", "arrivals")
    sources = table.frame["source"].tolist()
    assert {sources[row] for row in table.compared} == {
        *(FT, PT, "ridge-resnet50", "neighbours-resnet50", "nearest", "table", "mean", "pictures")
    }
    places = {rank: sources[row] for (row, column), rank in table.rank().items() if column == 1}
    ndcg = table.frame.set_index("source")["vbpr"].drop(["second", "reference", "replaced-50"])
    assert [places[rank] for rank in (1, 2)] == ndcg.nlargest(2).index.tolist()


@pytest.mark.parametrize("is_turned", [False, True])
def test_intervals_are_those_of_the_comparisons_whichever_way_round(metrics: dict[str, Any], is_turned: bool) -> None:
    row = arrivals_row(FT, PT, 0.04, low=0.01, high=0.06)
    if is_turned:
        row = arrivals_row(PT, FT, -0.04, low=-0.06, high=-0.01)
    other = arrivals_row(FT, PT, 0.5) | {"recommender": "contentknn-sbert"}
    table = arrivals_table(ranked(metrics, other, row), "sbert", "arrivals")
    cells = {cells[0]: cells[table.header.index("− PT [95 %]")] for cells in table.rows}
    assert cells["FT caption, tiny-llava"] == "+0.0400 [+0.0100, +0.0600]"
    assert cells["PT caption, tiny-llava"] == cells["no words"] == ""


def test_pictures_are_compared_with_the_words_of_the_tables_own_features(metrics: dict[str, Any]) -> None:
    """A second set of text features has other models: its captions are others than those of the first set."""
    row = arrivals_row("pictures", PT, 0.04) | {"recommender": "vbpr-resnet50", "recommender_b": "vbpr-sbert"}
    row_of_clip = arrivals_row(FT, "none", 0.1) | {"recommender": "vbpr-clip"}
    both = metrics | {"vbpr-clip": metrics["vbpr-sbert"], "contentknn-clip": metrics["contentknn-sbert"]}
    cells, notes = {}, {}
    for features in ("sbert", "clip"):
        table = arrivals_table(ranked(both, row, row_of_clip), features, "arrivals")
        pictures = next(row for row in table.rows if row[0] == "pictures alone, resnet50")
        cells[features], notes[features] = pictures[table.header.index("− PT [95 %]")], " ".join(table.notes)
    assert cells == {"sbert": "+0.0400 [+0.0200, +0.0600]", "clip": ""}
    assert [ELSEWHERE in notes[features] for features in ("sbert", "clip")] == [False, True]


def test_tested_comparisons_begin_with_the_primary_one(metrics: dict[str, Any]) -> None:
    rows = [row_with_finding(FT, "none", "better", "secondary"), row_with_finding(FT, PT, "equal", "primary")]
    table = findings_table(ranked(metrics, arrivals_row("table", PT), *rows))
    assert table is not None
    assert [cells[0].split(":")[0] for cells in table.rows] == ["primary", "secondary"]
    assert [cells[-1] for cells in table.rows] == ["equal", "better"]
    assert "54" in table.rows[0]
    assert "56 %" in table.rows[0]
    assert findings_table(ranked(metrics, arrivals_row("table", PT))) is None


def test_how_p_was_found_and_the_best_arm_chosen_is_said(metrics: dict[str, Any]) -> None:
    primary = row_with_finding(FT, PT, "better", "primary", draws=2000, draw_users=1087)
    best = row_with_finding(FT, "pictures-resnet50", "better", "secondary", draws=None, validation_ndcg=0.14)
    tables = [findings_table(ranked(metrics, *rows)) for rows in ([primary], [primary | {"draw_users": 500}, best])]
    first, second = (" ".join(table.notes) for table in tables if table)
    assert "ranked again, 2,000 draws." in first
    assert "of t" not in first
    assert (
        "ranked again of a sample of 500 users, 2,000 draws. Against an arm of another model, p is that of t." in second
    )
    assert "recommender's on validation arrivals: pictures alone (resnet50), with NDCG@12 0.1400 among them." in second


def test_the_ranking_of_all_items_has_every_recommender(metrics: dict[str, Any]) -> None:
    table = all_items_table(ranked(metrics), ["sbert", "resnet50", "clip"])
    assert set(table.frame["recommender"]) == set(NAMES)
    assert len(table.frame) == 2 * (len(QUALITY) + 1)
    assert "n/a" not in {cell for cells in table.rows for cell in cells}
    assert table.frame["share_12"].notna().all()
