"""METEOR against what the program, as pycocoevalcap runs it, said of made-up captions."""

import json
from pathlib import Path

import numpy as np
import pytest

from captioning.scores.meteor import CHUNKS, additive, meteor_from_statistics, meteor_statistics

GOLDEN = Path(__file__).parents[2] / "golden" / "captions" / "meteor_pairs.json"


@pytest.fixture(scope="module")
def said():
    """pairs, the program's scores of each (items), of all (corpus), and of some resamples (draws, draw_scores)."""
    return json.loads(GOLDEN.read_text())


@pytest.fixture(scope="module")
def statistics(said, jvm):
    return meteor_statistics(said["pairs"], jvm)


def test_equals_the_program_per_item_and_for_the_corpus(said, statistics):
    np.testing.assert_allclose(meteor_from_statistics(statistics), said["items"], rtol=0, atol=1e-12)
    assert meteor_from_statistics(statistics.sum(axis=0)) == pytest.approx(said["corpus"], abs=1e-12)


def test_a_resample_scored_from_its_sums_is_the_corpus_of_its_items(said, statistics):
    counts = np.stack([np.bincount(draw, minlength=len(statistics)) for draw in said["draws"]])
    found = meteor_from_statistics(counts @ statistics)  # all draws at once: (draws,)
    np.testing.assert_allclose(found, said["draw_scores"], rtol=0, atol=1e-12)


def test_whole_matches_add_no_chunk_to_the_corpus(said, statistics):
    """Defect: with their chunk added, perfect captions make the corpus score less than the program says."""
    whole = [caption in references for caption, references in said["pairs"]]
    assert statistics[whole, CHUNKS].max() == 0
    with_chunks = statistics.copy()
    with_chunks[whole, CHUNKS] = 1
    assert abs(meteor_from_statistics(with_chunks.sum(axis=0)) - said["corpus"]) > 1e-3
    np.testing.assert_array_equal(additive(with_chunks), statistics)


def test_an_empty_caption_scores_0_and_equal_ones_1(jvm):
    statistics = meteor_statistics([("", ["a red dress"]), ("a red dress", ["a red dress"])], jvm)
    assert meteor_from_statistics(statistics).tolist() == [0.0, 1.0]


@pytest.mark.slow
def test_the_golden_file_is_what_the_program_says(said, java_on_path):
    from pycocoevalcap.meteor.meteor import Meteor

    program = Meteor()
    for rows, expected in zip(
        [range(len(said["pairs"])), *said["draws"]], [said["corpus"], *said["draw_scores"]], strict=True
    ):
        references = {place: said["pairs"][row][1] for place, row in enumerate(rows)}
        captions = {place: [said["pairs"][row][0]] for place, row in enumerate(rows)}
        assert program.compute_score(references, captions)[0] == expected
