"""SPICE against the official program's own output: F, sub-scores, counts and tuples."""

import math
from pathlib import Path

import pytest

from captioning.scores.java.parse_cache import ParseCache
from captioning.scores.java.process import Jvm
from captioning.scores.spice import METRICS, parse, spice, spice_counts, spice_matches

CATEGORIES = ("All", "Object", "Attribute", "Relation", "Color", "Size", "Cardinality")  # in the order of METRICS


def compare(jvm, tmp_path, coco, rows):
    captions, references = coco
    pairs = [(captions[str(row["image_id"])], references[str(row["image_id"])]) for row in rows]
    with ParseCache("of this test", tmp_path) as cache:
        tuples = spice_matches(pairs, jvm, cache)
        scores, counts = spice(pairs, jvm, cache), spice_counts(pairs, jvm, cache)
    official = [[row["scores"][name] for name in CATEGORIES] for row in rows]
    for values, expected in zip(scores, official, strict=True):
        assert [None if math.isnan(value) else value for value in values] == [kind["f"] for kind in expected]
    names = ("tp", "fp", "fn")
    assert counts.tolist() == [[[kind[name] for name in names] for kind in expected] for expected in official]
    for (of_caption, of_references), row in zip(tuples, rows, strict=True):
        assert in_order(of_caption) == in_order(row["test_tuples"])
        assert in_order(of_references) == in_order(row["ref_tuples"])


def in_order(tuples):
    return sorted((*entry["tuple"], str(entry["truth_value"])) for entry in tuples)


def test_equals_the_official_program(spice_jvm, coco, coco_spice, tmp_path):
    compare(spice_jvm, tmp_path, coco, coco_spice[:6])


@pytest.mark.slow
def test_all_200_equal_the_official_program(fetched_corenlp, coco, coco_spice, tmp_path):
    with Jvm(fetched_corenlp) as jvm:
        compare(jvm, tmp_path, coco, coco_spice)


@pytest.mark.slow
def test_any_number_of_threads_parses_the_same(fetched_corenlp, coco):
    """On one thread, and on as many as a machine with a GPU may have."""
    texts = [text for caption in list(coco[0].values())[:60] for text in (caption, caption.upper())]
    parsed = []
    for threads in (1, 8):
        with Jvm(fetched_corenlp, threads) as jvm:
            parsed.append(parse(texts, jvm))
    assert parsed[0] == parsed[1]


def test_empty_texts_and_the_order_of_parsing(spice_jvm):
    texts = ["a red dress with long sleeves", "", "...", "\U0001f457", "two cats sit on a mat"]
    together = parse(texts, spice_jvm)
    assert [together[text] for text in ("", "...")] == [[], []]
    assert ["dress", "red"] in together[texts[0]]
    assert parse(texts[:1], spice_jvm)[texts[0]] == together[texts[0]]
    scores = spice([("", [texts[0]]), (texts[0], [texts[0]])], spice_jvm)
    assert scores[:, 0].tolist() == [0.0, 1.0]
    colour, cardinality = METRICS.index("spice_color"), METRICS.index("spice_cardinality")
    assert scores[:, colour].tolist() == [0.0, 1.0]
    assert math.isnan(scores[0, cardinality])  # the reference counts nothing: no score, and not 0


def test_what_is_parsed_once_is_read_from_the_cache(spice_jvm: Jvm, tmp_path: Path) -> None:
    pairs = [("a red dress", ["a red dress with long sleeves"]), ("two cats", ["two cats sit on a mat"])]
    with ParseCache("spice", tmp_path) as cache:
        first = spice(pairs, spice_jvm, cache)
        assert cache.hits == 0
    with ParseCache("spice", tmp_path) as cache:
        second = spice(pairs, spice_jvm, cache)
        assert cache.hits == 4
    assert first.tobytes() == second.tobytes()
