import pytest

from captioning.scores.rouge_l import rouge_l


def test_by_hand():
    """Longest common subsequence `a red with sleeves` (4) of 5 and of 6 words, beta 1.2."""
    precision, recall = 4 / 5, 4 / 6
    expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    score = rouge_l([("a red coat with sleeves", ["a red dress with long sleeves"])])
    assert score == pytest.approx([expected], abs=1e-15)


def test_an_empty_caption_scores_0_and_an_equal_one_1():
    assert rouge_l([("", ["a red dress"]), ("a red dress", ["blue", "a red dress"])]).tolist() == [
        0.0,
        pytest.approx(1.0),
    ]
