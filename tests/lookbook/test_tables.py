"""Tables: how figures are printed, and that nothing is lost or invented between the JSON files and the rows."""

import csv
import io
from typing import Any

import pytest

from lookbook import printing, tables

SCORES = {
    "bleu_4": 0.4123,
    "meteor": 0.3,
    "rouge_l": 0.6,
    "cider": 2.7521,
    "attribute_precision": 0.7,
    "attribute_recall": 0.65,
}
METRICS: dict[str, Any] = {
    "tiny-llava": {"pt": SCORES | {"cider": 0.07}, "ft": SCORES, "floor": SCORES},
    "ceiling": SCORES,
    "skipped": ["spice: params.yaml says skip"],
}
AXES = {
    "catalogues": ["original", "all"],
    "texts": ["original", "unfilled"],
    "recommenders": ["itemknn"],
    "image_features": [],
    "text_features": ["sbert"],
}


def row(**changes: Any) -> dict[str, Any]:
    values = {
        "captioner": "tiny-llava",
        "metric": "cider",
        "a": "ft",
        "b": "pt",
        "mean_a": 2.7521,
        "mean_b": 0.07,
        "difference": 2.6821,
    }
    values |= {
        "low": 2.5,
        "high": 2.9,
        "p": 0.0002,
        "p_holm": 0.0004,
        "n": 1250,
        "groups": 600,
        "wins": 1200,
        "ties": 30,
        "losses": 20,
        "confirmatory": True,
    }
    return values | changes


@pytest.mark.parametrize(
    ("metric", "value", "sign", "text"),
    [
        ("bleu_4", 0.4123, False, "41.2"),
        ("cider", 2.7521, False, "275.2"),
        ("length_ratio", 1.018, False, "1.02"),
        ("ndcg_12", 0.012345, False, "0.0123"),
        ("ndcg_masked_12", -0.012345, True, "−0.0123"),
        ("map_elliot_5_common", 0.5, True, "+0.5000"),
        ("ndcg_12", -0.000001, True, "+0.0000"),
        ("spice", None, False, "n/a"),
    ],
)
def test_figures_are_printed_in_the_unit_of_their_metric(
    metric: str, value: float | None, sign: bool, text: str
) -> None:
    assert printing.shown(metric, value, sign) == text


@pytest.mark.parametrize(
    ("p", "stars"), [(None, ""), (0.2, ""), (0.05, ""), (0.04, "*"), (0.009, "**"), (0.0009, "***")]
)
def test_stars_follow_the_corrected_p(p: float | None, stars: str) -> None:
    assert printing.mark({"p": 0.0001, "p_holm": p}) == stars


@pytest.mark.parametrize(("p", "text"), [(0.00099, "< 0.001"), (0.0123, "0.012"), (0.456, "0.46"), (None, "")])
def test_p_is_never_printed_as_zero(p: float | None, text: str) -> None:
    assert printing.probability(p) == text


def test_captions_skipped_are_na_with_the_reason_and_never_zero() -> None:
    table = tables.captions_table(METRICS, [row()], ["tiny-llava"])
    spice = table.header.index("SPICE")
    assert {cells[spice] for cells in table.rows} == {"n/a"}
    assert any("spice: params.yaml says skip" in note for note in table.notes)
    differences = tables.caption_differences_table(METRICS, [row()])
    assert any("spice: params.yaml says skip" in note for note in differences.notes)
    assert table.frame["spice"].isna().all()


def test_only_fine_tuned_figures_carry_stars() -> None:
    table = tables.captions_table(METRICS, [row()], ["tiny-llava"])
    cider = table.header.index("CIDEr")
    assert [cells[cider] for cells in table.rows] == ["7.0", "275.2***", "275.2", "275.2"]
    assert [cells[1] for cells in table.rows] == list(printing.VARIANTS.values())


def test_differences_are_printed_with_interval_p_and_counts() -> None:
    table = tables.caption_differences_table(METRICS, [row()])
    assert table.rows == [
        ["tiny-llava", "CIDEr", "275.2", "7.0", "+268.2 [+250.0, +290.0]***", "< 0.001", "1,250", "1,200 / 30 / 20"]
    ]


def test_csv_keeps_every_digit_and_markdown_escapes_bars() -> None:
    table = tables.caption_differences_table(METRICS, [row(captioner="a|b")])
    assert float(next(csv.DictReader(io.StringIO(table.csv())))["difference"]) == 2.6821
    assert "| a\\|b | CIDEr |" in table.markdown()
    assert all(
        line.count("|") - line.count("\\|") == 9 for line in table.markdown().splitlines() if line.startswith("|")
    )


def test_recommendations_keep_cutoffs_in_order_and_say_what_is_the_same() -> None:
    values = {
        f"{name}_{cutoff}{common}": cutoff / 100
        for name in ("map_elliot", "ndcg")
        for cutoff in (12, 5)
        for common in ("", "_common")
    }
    metrics = {
        "original": {"itemknn": values, "vbpr-sbert": values},
        "all": {"itemknn": values},
        "unfilled": {"vbpr-sbert": values | {"ndcg_12_common": 0.2}},
    }
    tested = [row(recommender="vbpr-sbert", metric="ndcg_12_common", a="unfilled", b="original", p_holm=0.01)]
    table = tables.recommendations_table(metrics, tested, AXES)
    assert table.header == ["Catalogue", "Recommender", "NDCG@5", "NDCG@12", "MAP-Elliot@5", "MAP-Elliot@12"]
    assert [cells[:4] for cells in table.rows] == [
        ["original", "ItemKNN", "0.0500", "0.1200"],
        ["original", "VBPR sbert", "0.0500", "0.1200"],
        ["augmented", "ItemKNN", "0.0500", "0.1200"],
        ["unfilled", "VBPR sbert", "0.0500", "0.2000*"],
        ["unfilled", "recommenders without texts", "same", "same"],
    ]


def test_rows_the_same_by_construction_show_no_test() -> None:
    same = row(
        recommender="itemknn",
        metric="ndcg_12_common",
        a="augmented",
        b="unfilled",
        p_holm=None,
        same_by_construction=True,
        mean_a=0.1,
        mean_b=0.1,
    )
    cells = tables.catalogue_differences_table([same], 12).rows[0]
    assert cells[:2] == ["ItemKNN", "augmented − unfilled"]
    assert "same by construction" in cells
    assert not any("*" in cell for cell in cells)


def test_the_catalogue_is_shown_whatever_it_counts() -> None:
    table = tables.catalogue_table({"articles": 3000, "leakage": {"random": {"shared_product_code": 7, "share": 0.25}}})
    assert table.rows == [
        ["articles", "3,000"],
        ["leakage · random · shared product code", "7"],
        ["leakage · random · share", "0.25"],
    ]
