"""The headline: few figures, chosen by the captions and the catalogue of params.yaml, none of another text."""

from typing import Any

from lookbook.comparison.headline import (
    CAPTION_METRICS,
    HEADLINE,
    select_arrival_figures,
    select_caption_figures,
    select_rating_figures,
    select_warm_figures,
    split_figures,
)
from lookbook.comparison.settings import Study
from tests.helpers.arrivals import arrivals_row, row_with_finding
from tests.lookbook.conftest import study_params

FT, PT = "tiny-blip2-opt-ft", "tiny-blip2-opt-pt"
SOURCES = {"sources": {source: {"ndcg_12": value} for source, value in ((FT, 0.13), (PT, 0.09), ("reference", 0.17))}}
ROWS = [
    arrivals_row(FT, "none", 0.5),
    row_with_finding("reference", FT, "better", "secondary", mean_b=0.2),
    row_with_finding(FT, "none", "better", "secondary", mean_b=0.3),
    row_with_finding(FT, "ridge-resnet50", "not shown", "secondary", mean_b=0.135),
    row_with_finding(FT, PT, "better", "primary"),
]
WARM: dict[str, Any] = {
    text: {"vbpr-sbert": {"ndcg_masked_12": 0.01 * place, "ndcg_12_common": 0.1 * place}, "bpr": {"ndcg_12": 9.0}}
    for place, text in enumerate(("original", "augmented", "augmented-pt", "masked-ft", "masked-pt"), 1)
}


def study(**changes: Any) -> Study:
    params = study_params(**changes)
    return Study(**{key: params[key] for key in Study.model_fields})


def test_the_arrivals_group_is_the_chosen_captions_and_what_they_are_compared_with() -> None:
    figures = select_arrival_figures(SOURCES, ROWS, study())
    expected = {"chosen": 0.13, "reference": 0.17, "best": 0.135, "ft_pt": 0.039, "p": 0.009}
    assert {key: figures[key] for key in expected} == expected
    assert figures["low"] < figures["ft_pt"] < figures["high"]
    assert "none" not in figures  # it was not ranked


def test_the_primary_comparison_of_other_sources_is_not_called_ft_pt() -> None:
    for a, b in ((PT, FT), ("reference", "none"), ("other-ft", "other-pt")):
        figures = select_arrival_figures(SOURCES, [row_with_finding(a, b, "better", "primary")], study())
        assert "ft_pt" not in figures
        assert figures["low"] < figures["difference"] < figures["high"]


def test_other_captions_change_only_what_reads_them() -> None:
    ft, pt = (select_arrival_figures(SOURCES, ROWS, study(captions=captions)) for captions in ("ft", "pt"))
    assert pt == ft | {"chosen": 0.09}
    warm = {captions: select_warm_figures(WARM, study(captions=captions), 12) for captions in ("ft", "pt")}
    assert warm["ft"] == {"masked": 0.04, "warm": 0.2}
    assert warm["pt"] == {"masked": 0.05, "warm": 0.1 * 3}


def test_no_other_text_stands_in_for_one_that_is_missing() -> None:
    metrics = {text: values for text, values in WARM.items() if text != "augmented-pt"}
    assert select_warm_figures(metrics, study(captions="pt"), 12) == {"masked": 0.05}
    assert select_warm_figures({}, study(), 12) == {}


def test_catalogues_that_were_scored_alone_have_their_own_figure() -> None:
    metrics = {"augmented": {"vbpr-sbert": {"ndcg_12": 0.3}}}
    assert select_warm_figures(metrics, study(), 12) == {"warm": 0.3}
    assert select_warm_figures(metrics, study(catalogue="original"), 12) == {}


def test_there_are_at_most_twenty_figures() -> None:
    every = {*CAPTION_METRICS, "meteor", "rouge_l", "accuracy"}
    captions = select_caption_figures({"tiny-blip2-opt": {"ft": dict.fromkeys(every, 0.5)}}, study())
    sources = {source: {"ndcg_12": 0.1} for source in (FT, PT, "reference", "none")}
    arrivals = select_arrival_figures({"sources": sources}, ROWS, study())
    ratings = select_rating_figures({"headline": {"round": "first", "preference": 0.4}})
    headline, others = split_figures(captions | arrivals | ratings | select_warm_figures(WARM, study(), 12))
    assert tuple(headline) == tuple(key for key in HEADLINE if key != "difference")
    assert sorted(others) == ["bleu_4", "core", "masked", "p", "precision", "recall", "spice", "warm"]
