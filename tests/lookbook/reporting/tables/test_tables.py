"""Tables: how figures are printed, and rows equal to the JSON files."""

import csv
import io
from typing import Any

import pandas as pd
import pytest

from lookbook.reporting import formatting
from lookbook.reporting.latex import write_latex
from lookbook.reporting.tables import captions, catalogue, published, recommendations

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
    "warm_image_features": [],
    "warm_content_recommenders": ["vbpr"],
    "warm_text_features": ["sbert"],
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
        "detectable": 0.2,
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
    assert formatting.format_value(metric, value, sign) == text


@pytest.mark.parametrize(
    ("p", "stars"), [(None, ""), (0.2, ""), (0.05, ""), (0.04, "*"), (0.009, "**"), (0.0009, "***")]
)
def test_stars_follow_the_corrected_p(p: float | None, stars: str) -> None:
    assert formatting.mark({"p": 0.0001, "p_holm": p}) == stars


@pytest.mark.parametrize(("p", "text"), [(0.00099, "< 0.001"), (0.0123, "0.012"), (0.456, "0.46"), (None, "")])
def test_p_is_never_printed_as_zero(p: float | None, text: str) -> None:
    assert formatting.format_p(p) == text


def test_captions_skipped_are_na_with_the_reason_and_never_zero() -> None:
    table = captions.captions_table(METRICS, [row()], ["tiny-llava"])
    spice = table.header.index("SPICE")
    assert {cells[spice] for cells in table.rows} == {"n/a"}
    assert any("spice: params.yaml says skip" in note for note in table.notes)
    differences = captions.caption_differences_table(METRICS, [row()])
    assert any("spice: params.yaml says skip" in note for note in differences.notes)
    assert table.frame["spice"].isna().all()


def test_tables_of_fine_tuned_captioners_say_that_each_was_trained_once() -> None:
    tables = (
        captions.captions_table(METRICS, [row()], ["tiny-llava"]),
        captions.caption_differences_table(METRICS, [row()]),
    )
    for table in tables:
        assert [note for note in table.notes if note.startswith("Each captioner was fine-tuned once, ")]


def test_only_fine_tuned_figures_carry_stars() -> None:
    table = captions.captions_table(METRICS, [row()], ["tiny-llava"])
    cider = table.header.index("CIDEr")
    assert [cells[cider] for cells in table.rows] == ["7.0", "275.2***", "275.2", "275.2"]
    assert [cells[1] for cells in table.rows] == list(formatting.VARIANTS.values())


def test_differences_are_printed_with_interval_p_and_counts() -> None:
    table = captions.caption_differences_table(METRICS, [row()])
    assert table.rows == [
        [
            "tiny-llava",
            "CIDEr",
            "275.2",
            "7.0",
            "+268.2 [+250.0, +290.0]***",
            "< 0.001",
            "1,250",
            "1,200 / 30 / 20",
            "20.0",
        ]
    ]


def test_csv_keeps_every_digit_and_markdown_escapes_bars() -> None:
    table = captions.caption_differences_table(METRICS, [row(captioner="a|b")])
    assert float(next(csv.DictReader(io.StringIO(table.csv())))["difference"]) == 2.6821
    assert "| a\\|b | CIDEr |" in table.markdown()
    assert all(
        line.count("|") - line.count("\\|") == 10 for line in table.markdown().splitlines() if line.startswith("|")
    )


def test_the_smallest_difference_of_one_group_is_na() -> None:
    assert captions.caption_differences_table(METRICS, [row(detectable=None)]).rows[0][-1] == "n/a"


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        (["cider", "core_precision"], "CIDEr and Core only."),
        (["cider", "attribute_precision"], "CIDEr and MAP only."),  # the truth is unknown
        (["cider"], "CIDEr only."),
        ([], ""),
    ],
)
def test_the_note_on_stars_names_the_columns_that_are_tested(metrics: list[str], words: str) -> None:
    scores = SCORES | {"core_precision": 0.9}
    comparisons = [row(metric=metric) for metric in metrics] + [row(metric="bleu_4", p_holm=None)]
    table = captions.captions_table({"tiny-llava": {"pt": scores, "ft": scores}}, comparisons, ["tiny-llava"])
    notes = [note for note in table.notes if note.startswith(formatting.MARKS)]
    assert notes == ([f"{formatting.MARKS}: fine-tuned against pre-trained, {words}"] if words else [])


def test_accuracies_of_true_descriptions_stand_beside_those_of_captions() -> None:
    table = captions.captions_table(METRICS | {"reference": {"accuracy": 0.875}}, [], ["tiny-llava"])
    assert "Acc. of the true descriptions: 87.5." in table.notes


def test_kinds_of_spice_tuples_are_shown_where_there_is_a_spice() -> None:
    assert captions.spice_table(METRICS, ["tiny-llava"]) is None
    scored = {"spice": 0.25, "spice_color": 0.5}
    table = captions.spice_table({"tiny-llava": {"pt": scored, "ft": scored}}, ["tiny-llava"])
    assert table is not None
    assert [dict(zip(table.header, cells, strict=True))["Colours"] for cells in table.rows] == ["50.0", "50.0"]
    assert dict(zip(table.header, table.rows[0], strict=True))["Sizes"] == "n/a"


def test_attributes_and_confusions_are_those_of_fine_tuned_captions_most_frequent_first() -> None:
    counts = {"reference": [2, 9, 9], "right": [0, 6, 1], "missed": [2, 3, 8], "invented": [0, 2, 1]}
    table = pd.DataFrame(
        {"captioner": "one", "variant": ["ft", "ft", "pt"], "attribute": ["belt", "red", "red"]} | counts
    )
    table = table.assign(precision=[float("nan"), 0.75, 0.5], recall=[0.0, 6 / 9, 1 / 9])
    shown = captions.attributes_table(table, ["one"])
    assert shown.rows == [
        ["one", "red", "9", "6", "3", "2", "75.0", "66.7"],
        ["one", "belt", "2", "0", "2", "0", "n/a", "0.0"],
    ]
    assert len(shown.frame) == 3
    pairs = pd.DataFrame(
        [
            ("one", "ft", "dress", "dress", 9),
            ("one", "ft", "dress", "skirt", 1),
            ("one", "ft", "skirt", "dress", 4),
            ("reference", "reference", "skirt", "dress", 2),
        ],
        columns=["captioner", "variant", "true_category", "predicted_category", "items"],
    )
    assert captions.confusions_table(pairs, ["one"]).rows == [
        ["one", "skirt", "dress", "4"],
        ["one", "dress", "skirt", "1"],
        ["true descriptions", "skirt", "dress", "2"],
    ]


def test_recommendations_keep_cutoffs_in_order_and_name_what_is_the_same() -> None:
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


def test_a_second_recommender_with_features_has_its_rows() -> None:
    values = {"ndcg_12": 0.1, "map_elliot_12": 0.1, "coverage_12": 0.5}
    both = {name: values for name in ("vbpr-sbert", "second-sbert", "vbpr-resnet50", "second-resnet50")}
    axes = AXES | {
        "recommenders": [],
        "warm_content_recommenders": ["vbpr", "second"],
        "warm_image_features": ["resnet50"],
        "texts": ["original"],
        "catalogues": ["original"],
    }
    shown = [["original", name] for name in ("VBPR resnet50", "second resnet50", "VBPR sbert", "second sbert")]
    for table in (
        recommendations.own_recommendations_table({"original": both}, axes),
        recommendations.beyond_accuracy_table({"original": both}, axes, 12),
    ):
        assert [cells[:2] for cells in table.rows] == shown
    about = {"metric": "ndcg_12", "slice": "cold_users", "confirmatory": False, "p_holm": None}
    rows = [row(**about, recommender=name) for name in ("second-sbert", "itemknn")]
    assert [cells[0] for cells in recommendations.slices_table(rows, 12).rows] == ["cold users, second sbert"]


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


@pytest.mark.parametrize(("changes", "shown"), [({}, True), ({"ties": 9, "wins": 1}, False), ({"high": 0.1}, False)])
def test_lists_that_are_the_same_for_all_say_so(changes: dict[str, float], shown: bool) -> None:
    """As where no item lacks a description: nothing could have been found, so no smallest difference is shown."""
    nothing = {
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
        "detectable": 0.0,
        "wins": 0,
        "ties": 10,
        "losses": 0,
        "n": 10,
    }
    same = row(recommender="vbpr-sbert", metric="ndcg_12_common", a="augmented", b="unfilled", **nothing | changes)
    cells = recommendations.catalogue_differences_table([same], 12).rows[0]
    assert ("same for all" in cells) == shown
    assert (cells[-1] == "") == shown


def test_a_note_on_unverified_captions_stands_below_a_table() -> None:
    table = catalogue.catalogue_table({"articles": 3, "unverified_test_captions": 99_946})
    assert catalogue.add_warning(table, {"articles": 3}) is table
    marked = catalogue.add_warning(table, {"unverified_test_captions": 99_946})
    assert "Unverified: the 99,946 test captions" in marked.markdown()
    assert "facad\\_test: first\\_99946" in write_latex(marked)
    assert marked.rows == table.rows


def test_the_catalogue_table_shows_every_count() -> None:
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
    text = write_latex(table)
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


def test_beyond_accuracy_shows_missing_figures_as_na() -> None:
    own = {"coverage_12": 0.25, "gini_12": 0.5, "novelty_12": 3.14159, "popularity_12": 10.04, "long_tail_12": 0.125}
    axes = AXES | {"texts": [], "warm_text_features": [], "catalogues": ["original"]}
    table = recommendations.beyond_accuracy_table({"original": {"itemknn": own}}, axes, 12)
    assert table.rows == [["original", "ItemKNN", "0.250", "0.500", "3.14", "10.0", "n/a", "0.125"]]
    own["popularity_lift_12"] = -0.5
    assert recommendations.beyond_accuracy_table({"original": {"itemknn": own}}, axes, 12).rows[0][6] == "−0.50"


def test_slices_show_what_reads_texts_and_keep_everything_in_csv() -> None:
    about = {"metric": "ndcg_12", "slice": "cold_users", "confirmatory": False, "p_holm": None, "mean_b": 0.01}
    shown = row(**about, recommender="vbpr-sbert", mean_a=0.02, difference=0.01, low=-0.01, high=0.03)
    hidden = [shown | {"recommender": "itemknn", "a": "augmented", "b": "original"}, shown | {"b": "none"}]
    table = recommendations.slices_table([shown, *hidden], 12)
    assert [cells[:5] for cells in table.rows] == [
        ["cold users, VBPR sbert", "ft − pt", "0.0200", "0.0100", "+0.0100 [−0.0100, +0.0300]"]
    ]
    assert (
        recommendations.slices_table([shown | {"slice": "category:T_shirt"}], 12).rows[0][0]
        == "category T_shirt, VBPR sbert"
    )
    assert len(table.frame) == 3


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
