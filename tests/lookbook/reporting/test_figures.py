"""Figures of new arrivals: which there are, and that their points are the figures of the JSON files."""

from typing import Any

from lookbook.reporting import figures
from lookbook.reporting.drawing import BLUE
from lookbook.reporting.figures import draw_arrivals
from lookbook.reporting.ranked import Ranked
from tests.helpers.arrivals import arrivals_row, row_with_finding

FT, PT = "tiny-llava-ft", "tiny-llava-pt"
NDCG = {FT: 0.13, PT: 0.09, "second": 0.177, "reference": 0.17, "none": 0.016}
METRICS = {"sources": {source: {"ndcg_12": value, "similarity": 0.5} for source, value in NDCG.items()}}
CAPTIONS: dict[str, Any] = {
    "tiny-llava": {"pt": {"cider": 0.07, "bleu_4": 0.0}, "ft": {"cider": 4.1, "bleu_4": 0.5}},
    "ceiling": {"cider": 6.0},
}


def ranked(*rows: dict[str, Any]) -> Ranked:
    return Ranked({"vbpr-sbert": METRICS}, rows, ["vbpr"], [], "tiny-llava")


def test_a_study_without_comparisons_or_scores_has_only_what_it_can_draw() -> None:
    assert draw_arrivals(ranked(), "vbpr-sbert", {}).keys() == {"quality"}  # the similarity alone
    tested = row_with_finding(FT, PT, "better", "primary")
    assert draw_arrivals(ranked(tested), "vbpr-sbert", CAPTIONS).keys() == {"arrivals", "quality"}


def test_points_have_the_scores_of_the_captions_and_the_ndcg_of_their_source() -> None:
    best = row_with_finding(FT, "pictures", "not shown", "secondary", mean_b=0.135)
    scatters = {scatter.title: scatter for scatter in figures._list_scatters(ranked(best), "vbpr-sbert", CAPTIONS)}
    assert scatters.keys() == {"CIDEr", "BLEU-4", "Similarity"}  # two sources have them
    points = {(point.captioner, point.variant): (point.score, point.ndcg) for point in scatters["CIDEr"].points}
    assert points == {("tiny-llava", "ft"): (4.1, 0.13), ("tiny-llava", "pt"): (0.07, 0.09), ("", ""): (6.0, 0.177)}
    assert scatters["BLEU-4"].levels == {"own words": 0.17, "no words": 0.016, "best without captions": 0.135}
    assert len(scatters["Similarity"].points) == 3


def test_untested_differences_are_never_drawn_as_claims() -> None:
    rows = (arrivals_row("reference", PT, 0.07), row_with_finding(FT, PT, "better", "primary"))
    with_claim = draw_arrivals(ranked(*rows), "vbpr-sbert", {})["arrivals"]
    without = draw_arrivals(ranked(rows[0], rows[1] | {"claimed": False, "p_holm": 0.3}), "vbpr-sbert", {})["arrivals"]
    assert with_claim.count(BLUE.encode()) > without.count(BLUE.encode()) == 0
