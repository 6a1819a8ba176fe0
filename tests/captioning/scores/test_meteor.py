"""METEOR against the answers of the program, as pycocoevalcap runs it, to made-up captions."""

import json
from pathlib import Path

import numpy as np
import pytest

from captioning.scores.java.process import Jvm
from captioning.scores.meteor import CHUNKS, clear_whole_matches, meteor_from_statistics, meteor_statistics
from tests.helpers.full import slowly

GOLDEN = Path(__file__).parents[2] / "golden" / "captions" / "meteor_pairs.json"


@pytest.fixture(scope="module")
def golden():
    """Read pairs, the program's scores of each (items), of all (corpus), and of some resamples (draws, draw_scores)."""
    return json.loads(GOLDEN.read_text())


@pytest.fixture(scope="module")
def statistics(golden, jvm):
    return meteor_statistics(golden["pairs"], jvm)


def test_equals_the_program_per_item_and_for_the_corpus(golden, statistics):
    np.testing.assert_allclose(meteor_from_statistics(statistics), golden["items"], rtol=0, atol=1e-12)
    assert meteor_from_statistics(statistics.sum(axis=0)) == pytest.approx(golden["corpus"], abs=1e-12)


@pytest.mark.parametrize("threads", [8, *slowly(1)])
def test_any_number_of_threads_answers_the_same(threads, golden, statistics):
    """Of 2 as elsewhere: scorers of all threads share METEOR's lists of words."""
    with Jvm(threads=threads) as jvm:
        np.testing.assert_array_equal(meteor_statistics(golden["pairs"], jvm), statistics)


def test_a_resample_scored_from_its_sums_is_the_corpus_of_its_items(golden, statistics):
    counts = np.stack([np.bincount(draw, minlength=len(statistics)) for draw in golden["draws"]])
    resampled = meteor_from_statistics(counts @ statistics)  # all draws at once: (draws,)
    np.testing.assert_allclose(resampled, golden["draw_scores"], rtol=0, atol=1e-12)


def test_whole_matches_add_no_chunk_to_the_corpus(golden, statistics):
    """Defect: with their chunk added, perfect captions make the corpus score less than the program says."""
    whole = [caption in references for caption, references in golden["pairs"]]
    assert statistics[whole, CHUNKS].max() == 0
    with_chunks = statistics.copy()
    with_chunks[whole, CHUNKS] = 1
    assert abs(meteor_from_statistics(with_chunks.sum(axis=0)) - golden["corpus"]) > 1e-3
    np.testing.assert_array_equal(clear_whole_matches(with_chunks), statistics)


def test_an_empty_caption_scores_0_and_equal_ones_1(jvm):
    statistics = meteor_statistics([("", ["a red dress"]), ("a red dress", ["a red dress"])], jvm)
    assert meteor_from_statistics(statistics).tolist() == [0.0, 1.0]


@pytest.mark.slow
def test_the_golden_file_is_what_the_program_answers(golden, java_on_path):
    from pycocoevalcap.meteor.meteor import Meteor

    program = Meteor()
    for rows, expected in zip(
        [range(len(golden["pairs"])), *golden["draws"]], [golden["corpus"], *golden["draw_scores"]], strict=True
    ):
        references = {index: golden["pairs"][row][1] for index, row in enumerate(rows)}
        captions = {index: [golden["pairs"][row][0]] for index, row in enumerate(rows)}
        assert program.compute_score(references, captions)[0] == expected
