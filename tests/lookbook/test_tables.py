"""Tables: how figures are printed, and that nothing is lost or invented between the JSON files and the rows."""

import csv
import io
from typing import Any

import pytest

from lookbook import printing
from lookbook.tables import captions, catalogue, published, recommendations

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
    table = captions.captions_table(METRICS, [row()], ["tiny-llava"])
    spice = table.header.index("SPICE")
    assert {cells[spice] for cells in table.rows} == {"n/a"}
    assert any("spice: params.yaml says skip" in note for note in table.notes)
    differences = captions.caption_differences_table(METRICS, [row()])
    assert any("spice: params.yaml says skip" in note for note in differences.notes)
    assert table.frame["spice"].isna().all()


def test_only_fine_tuned_figures_carry_stars() -> None:
    table = captions.captions_table(METRICS, [row()], ["tiny-llava"])
    cider = table.header.index("CIDEr")
    assert [cells[cider] for cells in table.rows] == ["7.0", "275.2***", "275.2", "275.2"]
    assert [cells[1] for cells in table.rows] == list(printing.VARIANTS.values())


def test_differences_are_printed_with_interval_p_and_counts() -> None:
    table = captions.caption_differences_table(METRICS, [row()])
    assert table.rows == [
        ["tiny-llava", "CIDEr", "275.2", "7.0", "+268.2 [+250.0, +290.0]***", "< 0.001", "1,250", "1,200 / 30 / 20"]
    ]


def test_csv_keeps_every_digit_and_markdown_escapes_bars() -> None:
    table = captions.caption_differences_table(METRICS, [row(captioner="a|b")])
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
    table = recommendations.recommendations_table(metrics, tested, AXES)
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
    cells = recommendations.catalogue_differences_table([same], 12).rows[0]
    assert cells[:2] == ["ItemKNN", "augmented − unfilled"]
    assert "same by construction" in cells
    assert not any("*" in cell for cell in cells)


def test_the_catalogue_is_shown_whatever_it_counts() -> None:
    table = catalogue.catalogue_table(
        {"articles": 3000, "leakage": {"random": {"shared_product_code": 7, "share": 0.25}}}
    )
    assert table.rows == [
        ["articles", "3,000"],
        ["leakage · random · shared product code", "7"],
        ["leakage · random · share", "0.25"],
    ]


def test_latex_has_every_cell_and_escapes_what_it_would_read_as_a_command() -> None:
    table = captions.caption_differences_table(METRICS, [row(captioner="a_b & 5 %")])
    text = table.latex()
    assert r"a\_b \& 5 \%" in text
    body = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert len(body) == 1 + len(table.rows)
    assert all(line.replace(r"\&", "").count("&") == len(table.header) - 1 for line in body)
    assert rf"\begin{{tabular}}{{ll{'r' * (len(table.header) - 2)}}}" in text


def test_published_captions_stand_beside_those_of_the_same_captioner() -> None:
    ours = {"blip2-opt-2.7b": {"ft": {"bleu_4": 0.5, "cider": 3.1, "attribute_precision": 0.75}}}
    table = published.published_captions_table("hm", ours)
    assert table is not None
    assert len(table.rows) == 12
    cells = dict(zip(table.header, table.rows[1], strict=True))
    assert (cells["Captioner"], cells["Captions"]) == ("BLIP-2-2.7B", "ft")
    assert (cells["BLEU-4"], cells["CIDEr"], cells["MAP"]) == ("40.8 / 50.0", "275.2 / 310.0", "70.8 / 75.0")
    assert cells["SPICE"] == "44.7 / n/a"
    facad = published.published_captions_table("facad", {})
    assert facad is not None
    assert facad.rows[-1][0] == "SRFC"
    assert published.published_captions_table("sample", ours) is None


def test_published_recommendations_know_which_lists_read_texts() -> None:
    ours = {
        "original": {"itemknn": {"ndcg_12": 0.06}},
        "all": {"itemknn": {"ndcg_12": 0.07}},
        "augmented": {"vbpr-sbert": {"ndcg_12": 0.03}},
    }
    table = published.published_recommendations_table("hm", ours)
    assert table is not None
    cells = {(row[0], row[1]): row[3] for row in table.rows}
    assert cells["original", "ItemKNN"] == "0.06421 / 0.0600"
    assert cells["augmented", "ItemKNN"] == "0.06423 / 0.0700"
    assert cells["augmented", "VBPR sbert"] == "0.02950 / 0.0300"
    assert cells["original", "VBPR sbert"] == "0.02986 / n/a"
    assert published.published_recommendations_table("facad", ours) is None
