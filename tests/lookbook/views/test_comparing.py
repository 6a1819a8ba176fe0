"""Comparisons of two sets: the mean difference, its slices and bins, and rows of results."""

import re
import shutil
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from captioning.scores import bleu
from lookbook.comparison.captions import compare_captioners
from lookbook.comparison.rows import read_comparison
from lookbook.comparison.significance import Estimate
from lookbook.reporting.formatting import format_interval, format_p, format_value
from lookbook.views.comparing import (
    TOGETHER,
    Side,
    count_wins,
    describe_difference,
    describe_test,
    estimate_difference,
    find_bins,
    find_scored,
    list_sides,
    list_slices,
    open_other,
    read_pairs,
    read_statistics,
    read_texts,
    write_bin,
    write_estimate,
    write_pair,
)
from lookbook.views.rendering import render
from lookbook.views.results import draw_intervals, find_lists, list_arms, list_groups, read_rows
from lookbook.views.study import Study, open_study
from pipeline.core.errors import UserError
from tests.helpers.hostile import HOSTILE
from tests.helpers.repository import ROOT

A, B = ("tiny-llava", "ft"), ("tiny-llava", "pt")


def read_own(study: Study, metric: str = "cider", turned: bool = False) -> pl.DataFrame:
    a, b = Side(study, *A), Side(study, *B)
    return read_pairs(study, *((b, a) if turned else (a, b)), metric)


def test_the_difference_of_a_selection_is_that_of_its_pairs(viewed: Study) -> None:
    pairs = read_own(viewed)
    estimate = estimate_difference(pairs)
    assert estimate.difference == pytest.approx(pairs["difference"].mean())
    assert estimate.low < estimate.difference < estimate.high
    assert sum(count_wins(pairs)) == len(pairs) == find_bins(pairs)["items"].sum()
    turned = read_own(viewed, turned=True)
    assert estimate_difference(turned).difference == pytest.approx(-estimate.difference)


def test_slices_are_parts_of_the_selection_largest_difference_first(viewed: Study) -> None:
    pairs = read_own(viewed)
    slices = list_slices(viewed, pairs)
    sizes = [abs(one.estimate.difference) for one in slices]
    assert sizes == sorted(sizes, reverse=True)
    categories = [one for one in slices if one.kind == "category"]
    assert sum(one.items for one in categories) <= len(pairs)


def test_the_reference_is_a_set_of_texts(viewed: Study) -> None:
    assert read_texts(Side(viewed, "reference", ""), ["0000000000"]) == {"0000000000": "red dress in soft cotton"}


def test_against_the_descriptions_the_score_of_the_captions_is_shown_lowest_first(viewed: Study) -> None:
    """Captions are scored against descriptions, so these have no score that could be subtracted."""
    captions, reference = Side(viewed, *A), list_sides(viewed)[-1]
    assert reference.name == "reference"
    for a, b in ((captions, reference), (reference, captions)):
        assert find_scored(a, b) == captions
        pairs = read_pairs(viewed, a, b, "cider")
        assert pairs["difference"].to_list() == sorted(pairs["a"].to_list())
        assert dict(pairs.select("item_id", "a").iter_rows()) == dict(captions.read_scores("cider").iter_rows())
        verdict, notes = describe_difference(pairs, a, b, "cider")
        assert verdict.startswith(f"cider of tiny-llava ft: {100 * pairs['a'].mean():.1f} [")
        assert "Descriptions have no score" in notes[0]
    with pytest.raises(UserError, match="A and B are both the shop's descriptions"):
        read_pairs(viewed, reference, reference, "cider")


def test_what_the_study_tested_is_said_of_all_garments_and_of_no_other_pair(viewed: Study) -> None:
    ft, pt = Side(viewed, *A), Side(viewed, *B)
    [row] = [
        row
        for row in read_comparison(viewed.root / "metrics/comparison.json")["captions"]
        if (row["captioner"], row["metric"]) == ("tiny-llava", "cider")
    ]
    sentence = describe_test(viewed, ft, pt, "cider")
    assert f"tested this difference: {format_interval('cider', row)}" in sentence
    assert sentence.endswith(f"corrected p {format_p(row['p_holm'])}.")
    assert describe_difference(read_own(viewed), ft, pt, "cider", sentence)[1][1] == sentence
    for a, b, metric in ((pt, ft, "cider"), (ft, pt, "attribute_recall"), (ft, Side(viewed, *A, True), "cider")):
        assert describe_test(viewed, a, b, metric) == ""


@pytest.fixture(scope="module")
def counted(viewed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return the study with BLEU of texts of several lengths: of each garment, and what it counts."""
    root = tmp_path_factory.mktemp("counted") / "study"
    shutil.copytree(viewed_folder, root)
    path = root / "data/scores/captions.parquet"
    scores = pd.read_parquet(path).query("not metric.str.startswith('bleu')")
    texts = pd.read_parquet(root / "data/prepared/items.parquet").set_index("item_id")["description"]
    tables = [scores]
    for captioner, variant in (A, B):
        own = pd.read_parquet(root / f"data/captions/{captioner}-{variant}.parquet")
        own = own[own["item_id"].isin(scores["item_id"])]
        said = [text + " in red" * (place % 4 if variant == "ft" else 0) for place, text in enumerate(own["caption"])]
        own_texts = [texts[item] + " and so on" * (place % 3) for place, item in enumerate(own["item_id"])]
        pairs = [(text, [reference]) for text, reference in zip(said, own_texts, strict=True)]
        counts = bleu.bleu_statistics(pairs)
        lengths = pd.DataFrame({"length_ratio": counts[:, 8] / counts[:, 9]})
        of_items = pd.DataFrame(bleu.bleu_from_statistics(counts), columns=bleu.METRICS)
        wide = pd.concat([pd.DataFrame(counts, columns=bleu.STATISTICS), of_items, lengths], axis=1)
        wide = wide.assign(item_id=own["item_id"].to_numpy(), captioner=captioner, variant=variant)
        tables.append(wide.melt(["item_id", "captioner", "variant"], var_name="metric"))
    pd.concat(tables).to_parquet(path, index=False)
    return open_study(root)


@pytest.mark.parametrize("metric", ["bleu_1", "length_ratio"])
def test_a_score_of_the_whole_corpus_is_that_of_results(counted: Study, metric: str) -> None:
    """The mean of the garments' own scores is another figure."""
    path, items = counted.root / "data/scores/captions.parquet", counted.root / "data/prepared/items.parquet"
    rows = compare_captioners(path, items, ["tiny-llava"], 2000, seed=0)
    [row] = [row for row in rows if row["metric"] == metric]
    ft, pt = (Side(counted, *one) for one in (A, B))
    pairs = read_pairs(counted, ft, pt, metric)
    assert abs(pairs["difference"].mean() - row["difference"]) > 0.001
    verdict, notes = describe_difference(pairs, ft, pt, metric)
    assert (
        verdict == f"{metric}: tiny-llava ft − tiny-llava pt = {format_interval(metric, row)} on {len(pairs)} garments"
    )
    assert TOGETHER in notes
    reference = list_sides(counted)[-1]
    alone, notes = describe_difference(read_pairs(counted, ft, reference, metric), ft, reference, metric)
    assert alone.startswith(f"{metric} of tiny-llava ft: {format_value(metric, row['mean_a'])} [")
    assert TOGETHER in notes


def test_a_slice_has_the_score_of_its_own_corpus(counted: Study) -> None:
    ft, pt = (Side(counted, *one) for one in (A, B))
    pairs, corpora = read_pairs(counted, ft, pt, "bleu_1"), read_statistics(ft, pt, "bleu_1")
    [dresses] = [one for one in list_slices(counted, pairs, corpora) if one.value == "dress"]
    part = pairs.filter(pl.col("category").cast(pl.String) == "dress")
    assert dresses.items == len(part)
    sums = [
        table.filter(pl.col("item_id").is_in(part["item_id"].to_list())).drop("item_id").sum().to_numpy()
        for table in (corpora.a, corpora.b)
    ]
    first, second = (bleu.bleu_from_statistics(counts)[0, 0] for counts in sums)
    assert dresses.estimate.difference == pytest.approx(first - second)


def test_other_scores_are_means_of_garments(viewed: Study) -> None:
    ft, pt = Side(viewed, *A), Side(viewed, *B)
    assert read_statistics(ft, pt, "cider") is None
    assert read_statistics(ft, pt, "bleu_1") is None  # this study has none of its counts
    assert TOGETHER not in describe_difference(read_own(viewed), ft, pt, "cider")[1]


def test_another_study_is_compared_on_the_garments_of_both(viewed: Study, tmp_path: Path) -> None:
    """It is this one with half of its garments, whose scores are one higher."""
    other = tmp_path / "other"
    shutil.copytree(viewed.root, other)
    scores = pd.read_parquet(other / "data/scores/captions.parquet")
    kept = scores[scores["item_id"] < "0000000030"].assign(value=lambda table: table["value"] + 1)
    kept.to_parquet(other / "data/scores/captions.parquet", index=False)
    sides = {side.name: side for side in list_sides(viewed, open_other(str(other)))}
    assert len(sides) == 2 * len(viewed.list_sets()) + 1  # and the descriptions
    pairs = read_pairs(viewed, sides["other study: tiny-llava ft"], sides["tiny-llava ft"], "cider")
    assert set(pairs["item_id"]) == set(kept["item_id"])
    assert pairs["difference"].to_list() == pytest.approx([1.0] * len(pairs))


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give the folder of a study"):
        open_other(str(tmp_path))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    with pytest.raises(UserError, match="no scored captions there"):
        open_other(str(tmp_path))


def test_results_are_the_rows_of_the_comparison(viewed: Study) -> None:
    assert "arrivals" in list_groups(viewed)
    rows = read_rows(viewed, "arrivals")
    assert rows[0]["interval"].startswith("[")
    figure = draw_intervals(rows)
    assert figure.count('class="lb-dot') == 40
    assert figure.count("lb-hollow") == sum(not row["claimed"] for row in rows[:40])
    assert "<svg" not in figure  # Streamlit drops it
    places = [float(place) for place in re.findall(r"(?:left|width): ([-\d.]+)%", figure)]
    assert min(places) >= 0
    assert max(places) == 100
    assert "No comparison" in draw_intervals([])


def test_what_nothing_is_known_of_sets_no_scale(viewed: Study) -> None:
    rows = read_rows(viewed, "slices")
    unknown = [row for row in rows if not row["known"]]
    assert {(row["low"], row["high"], row["interval"]) for row in unknown} == {(-1.0, 1.0, "nothing known")}
    known = [row for row in rows if row["known"]][:20]
    figure = draw_intervals([*known, *unknown])
    assert figure.count('class="lb-dot') == len(known)
    assert figure.count(">nothing known</span>") == len(unknown)
    assert "Nothing known: fewer than two products" in figure
    widths = [float(width) for width in re.findall(r"width: ([-\d.]+)%", figure)]
    assert widths == [float(width) for width in re.findall(r"width: ([-\d.]+)%", draw_intervals(known))]
    assert "othing known" not in draw_intervals(known)
    assert 'class="lb-dot' not in draw_intervals(unknown)


def test_a_comparison_of_lists_leads_to_them_where_they_are_there(viewed: Study) -> None:
    arms = list_arms(viewed)
    masked = [row for row in read_rows(viewed, "masked") if (row["a"], row["b"]) == ("ft", "pt")]
    lists = {
        "experiment": "warm",
        "recommender": "vbpr-sbert",
        "recommender_b": "",
        "a": "masked-ft",
        "b": "masked-pt",
        "slice": "",
    }
    assert find_lists(masked[0], arms) == lists
    part = {
        "table": "slices",
        "recommender": "vbpr-sbert",
        "recommender_b": "",
        "a": "ft",
        "b": "pt",
        "slice": "cold_users",
    }
    assert find_lists(part, arms) == lists | {"slice": "cold_users"}
    assert find_lists(part | {"b": "none"}, arms) == {}
    other = part | {"table": "arrivals", "recommender_b": "vbpr-clip", "b": "pictures-clip"}
    found = find_lists(other, {("arrivals", "vbpr-sbert"): ["ft"], ("arrivals", "vbpr-clip"): ["pictures"]})
    assert (found["recommender_b"], found["b"]) == ("vbpr-clip", "pictures")
    catalogue = part | {"recommender": "bpr", "a": "augmented", "b": "unfilled"}  # both are the lists of all
    assert find_lists(catalogue, {("warm", "bpr"): ["original", "all"]}) == {}
    assert find_lists(catalogue | {"b": "original"}, {("warm", "bpr"): ["original", "all"]})["a"] == "all"


def test_scores_are_written_in_the_units_of_the_report() -> None:
    estimate = Estimate(0.1234, -0.00001, 0.5, 0.04, 0.2)
    assert write_estimate(estimate, "cider") == "+12.3 [+0.0, +50.0]"
    assert write_estimate(estimate, "length_ratio", sign=False) == "0.12 [0.00, 0.50]"
    row = {"difference": -0.25, "a": 0.5, "b": 0.75}
    assert write_pair(row, "cider", scored=False) == "−25.0: 50.0 against 75.0"
    assert write_pair(row, "cider", scored=True) == "50.0"
    assert write_bin(-0.1, 0.1, "cider", sign=True) == "−10.0 to +10.0"


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_data_become_no_markup(text: str) -> None:
    html = render("note", lines=[text]) + render(
        "table", header=[text], rows=[[{"text": text, "link": ""}]], title=text, first_number=9
    )
    assert "<script" not in html
    assert "<img" not in html
    assert "\u202e" not in html
