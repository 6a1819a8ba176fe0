"""SPICE against the official program's own output: F and tuples."""

import pytest

from captioning.scores.jvm import Jvm
from captioning.scores.spice import parse, spice


def compare(folder, coco, rows):
    captions, references = coco
    pairs = [(captions[str(row["image_id"])], references[str(row["image_id"])]) for row in rows]
    with Jvm(folder) as jvm:
        scores = spice(pairs, jvm)
    assert scores.tolist() == [row["scores"]["All"]["f"] for row in rows]


def test_equals_the_official_program(corenlp, coco, coco_spice):
    compare(corenlp, coco, coco_spice[:6])


@pytest.mark.slow
def test_all_200_equal_the_official_program(fetched_corenlp, coco, coco_spice):
    compare(fetched_corenlp, coco, coco_spice)


def test_empty_texts_and_the_order_of_parsing(corenlp):
    texts = ["a red dress with long sleeves", "", "...", "\U0001f457", "two cats sit on a mat"]
    with Jvm(corenlp) as jvm:
        together = parse(texts, jvm)
        assert [together[text] for text in ("", "...")] == [[], []]
        assert ["dress", "red"] in together[texts[0]]
        assert parse(texts[:1], jvm)[texts[0]] == together[texts[0]]
        assert spice([("", [texts[0]]), (texts[0], [texts[0]])], jvm).tolist() == [0.0, 1.0]
