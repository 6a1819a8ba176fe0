"""Figures of new arrivals: which there are, and that their points are the figures of the JSON files."""

from typing import Any

from lookbook.reporting.charts.arrivals import frame_scatters, list_arrival_panels, list_scatters
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
    assert list_arrival_panels(ranked(), "vbpr-sbert") == []
    assert [scatter.title for scatter in list_scatters(ranked(), "vbpr-sbert", {}, [])] == ["Similarity"]


def test_points_have_the_scores_of_the_captions_and_the_ndcg_of_their_source() -> None:
    best = row_with_finding(FT, "pictures", "not shown", "secondary", mean_b=0.135)
    interval = {"scope": "points", "recommender": "vbpr-sbert", "a": FT, "low": 0.1, "high": 0.15}
    scatters = {each.title: each for each in list_scatters(ranked(best), "vbpr-sbert", CAPTIONS, [interval])}
    assert scatters.keys() == {"CIDEr", "BLEU-4", "Similarity"}  # two sources have them
    points = {(point.captioner, point.variant): (point.score, point.ndcg) for point in scatters["CIDEr"].points}
    assert points == {("tiny-llava", "ft"): (4.1, 0.13), ("tiny-llava", "pt"): (0.07, 0.09), ("", ""): (6.0, 0.177)}
    assert [(point.low, point.high) for point in scatters["CIDEr"].points if point.variant == "ft"] == [(0.1, 0.15)]
    assert scatters["BLEU-4"].levels == {"own words": 0.17, "no words": 0.016, "best without captions": 0.135}
    assert len(scatters["Similarity"].points) == 3
    frame = frame_scatters(list(scatters.values()))
    assert len(frame) == sum(len(each.points) + len(each.levels) for each in scatters.values())


def test_untested_differences_are_never_drawn_as_claims() -> None:
    rows = (arrivals_row("reference", PT, 0.07), row_with_finding(FT, PT, "better", "primary", detectable=0.02))
    tested, sources = list_arrival_panels(ranked(*rows), "vbpr-sbert")
    assert [interval.significant for interval in tested.intervals] == [True]
    assert [interval.detectable for interval in tested.intervals] == [0.02]
    assert [interval.label for interval in sources.intervals] == ["reference"]  # FT − PT is tested
    assert not any(interval.significant or interval.detectable for interval in sources.intervals)
    not_claimed = ranked(rows[0], rows[1] | {"claimed": False, "p_holm": 0.3})
    assert not list_arrival_panels(not_claimed, "vbpr-sbert")[0].intervals[0].significant
