"""The words of the answer against figures that say yes, no, not shown and equal."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookbook.reporting.answer import NO_ARRIVALS, Answer, judge, write_answer
from tests.helpers.arrivals import FINDINGS, arrivals_row, row_with_finding

FT, PT = "tiny-llava-ft", "tiny-llava-pt"
RECOMMENDER = "vbpr-sbert"  # of the primary comparison
CLAIMS = re.compile(r"\b(better|worse|help|helps|raise\w*|lower\w*)\b")
SIZES = st.floats(0.001, 0.2)


def primary(finding: str, **changes: Any) -> dict[str, Any]:
    return row_with_finding(FT, PT, finding, "primary", **changes)


def answer_of(*rows: dict[str, Any]) -> Answer:
    return write_answer({"arrivals": list(rows)}, {}, RECOMMENDER)


def sentences(answer: Answer) -> list[str]:
    secondary = (sentence for part in answer.secondary for sentence in part)
    every = [answer.verdict, *answer.basis, *secondary, *answer.others, *answer.warm]
    assert " ".join(every) == " ".join([answer.verdict, *answer.paragraphs])
    return every


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("better", "Fine-tuned captions by tiny-llava rank new arrivals better than pre-trained ones."),
        ("worse", "Fine-tuned captions by tiny-llava rank new arrivals worse than pre-trained ones."),
        ("equal", "Fine-tuned and pre-trained captions by tiny-llava rank new arrivals equally well."),
        (
            "not shown",
            "Between fine-tuned and pre-trained captions by tiny-llava, no difference is shown for new arrivals.",
        ),
    ],
)
def test_the_verdict_follows_from_the_primary_comparison(finding: str, words: str) -> None:
    assert answer_of(primary(finding)).verdict == words


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (PT, FT, "Pre-trained captions by tiny-llava rank new arrivals worse than fine-tuned ones."),
        ("reference", "none", "New arrivals are ranked worse with the shop's own descriptions than with no words."),
        (FT, "none", "New arrivals are ranked worse with fine-tuned captions by tiny-llava than with no words."),
        (
            FT,
            "other-pt",
            "New arrivals are ranked worse with fine-tuned captions by tiny-llava than with pre-trained captions by "
            "other.",
        ),
    ],
)
def test_the_verdict_is_about_the_sources_that_were_compared(a: str, b: str, words: str) -> None:
    answer = answer_of(row_with_finding(a, b, "worse", "primary"), arrivals_row(a, b, 0.1, recommender="bpr-sbert"))
    assert answer.verdict == words
    assert not any("Fine-tuned minus pre-trained" in sentence for sentence in answer.others)
    assert answer.others


def test_the_basis_names_everything_that_the_verdict_rests_on() -> None:
    basis = answer_of(primary("better", p=0.027)).basis
    assert basis == [
        "NDCG@12 among the arrivals is 0.1390 against 0.1000: +0.0390 [+0.0110, +0.0670], p = 0.027 (VBPR sbert).",
        "1,087 users and 100 products are compared, and lists hit 54 garments.",
        "Ten garments carry 56 % of all changes.",
        "The test finds a true difference of 0.0350 in four of five such studies.",
    ]


def test_what_is_not_shown_may_still_be_there() -> None:
    assert answer_of(primary("not shown")).basis[-1] == "A true difference of up to 0.0400 remains possible."
    assert "A true difference of up to" not in " ".join(answer_of(primary("better")).basis)
    assert "inside the margin" in answer_of(primary("equal")).basis[-1]


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (
            FT,
            "none",
            {
                "better": "Fine-tuned captions rank new arrivals better than no words.",
                "worse": "Fine-tuned captions rank new arrivals worse than no words.",
                "equal": "Fine-tuned captions and no words rank new arrivals equally well.",
                "not shown": "Between fine-tuned captions and no words, no difference is shown.",
            },
        ),
        (
            FT,
            "pictures",
            {
                "better": "Captions help: they rank new arrivals better than the best VBPR arm without captions, which "
                "is pictures alone.",
                "worse": "Captions do not help: the best VBPR arm without captions, which is pictures alone, ranks new "
                "arrivals better.",
                "equal": "Captions do not help: the best VBPR arm without captions, which is pictures alone, ranks new "
                "arrivals equally well.",
                "not shown": "That captions help is not shown: they do not differ clearly from the best VBPR arm "
                "without captions, which is pictures alone.",
            },
        ),
        (
            "reference",
            FT,
            {
                "better": "The shop's own descriptions rank new arrivals better than fine-tuned captions.",
                "worse": "The shop's own descriptions rank new arrivals worse than fine-tuned captions.",
                "equal": "The shop's own descriptions and fine-tuned captions rank new arrivals equally well.",
                "not shown": "Between the shop's own descriptions and fine-tuned captions, no difference is shown.",
            },
        ),
    ],
)
def test_the_words_of_secondary_comparisons_follow_from_their_figures(a: str, b: str, words: dict[str, str]) -> None:
    assert words.keys() == FINDINGS.keys()
    for finding, sentence in words.items():
        [paragraph] = answer_of(primary("better"), row_with_finding(a, b, finding)).secondary
        assert paragraph[0] == sentence
        assert "corrected p" in paragraph[1]


def test_that_captions_help_is_claimed_against_the_best_arm_without_captions_alone() -> None:
    rows = [primary("better"), row_with_finding(FT, "none", "better"), row_with_finding("reference", FT, "worse")]
    assert not any("aptions help" in sentence for sentence in sentences(answer_of(*rows)))
    rows.append(row_with_finding(FT, "ridge-blip2-queries", "better"))
    assert any(sentence.startswith("Captions help:") for sentence in sentences(answer_of(*rows)))


@given(difference=SIZES, margin=SIZES, sign=st.sampled_from([1, -1]), p=st.floats(0.0001, 1), equivalent=st.booleans())
def test_nothing_is_claimed_without_a_claim(
    difference: float, margin: float, sign: int, p: float, equivalent: bool
) -> None:
    """An interval that leaves out zero is not enough, and nor is a small p."""
    figures = {"margin": margin, "p": p, "p_holm": p, "claimed": False, "equivalent": equivalent}
    figures["difference"] = sign * difference
    row, other = arrivals_row(FT, PT, **figures, family="primary"), arrivals_row(FT, "none", **figures)
    answer = answer_of(row, other | {"family": "secondary"})
    assert not [sentence for sentence in sentences(answer) if CLAIMS.search(sentence)]
    assert judge(row) == ("equal" if equivalent else "not shown")


def test_unrow_with_findings_are_in_no_sentence() -> None:
    answer = answer_of(primary("better"), arrivals_row(FT, "table", 0.1), arrivals_row("second", FT, 0.1))
    assert answer.secondary == []


def test_other_recommenders_on_the_same_words_have_intervals_and_say_which_hold_zero() -> None:
    best = row_with_finding(FT, "pictures-resnet50", "not shown")
    rows = [
        primary("better"),
        best,
        arrivals_row(FT, PT, 0.05, recommender="contentknn-sbert"),
        arrivals_row(FT, PT, 0.01, recommender="freedom-sbert"),
        arrivals_row(FT, PT, 0.3, recommender="vbpr-clip"),  # other words
        arrivals_row(FT, "none", 0.3, recommender="freedom-sbert"),  # another pair
        arrivals_row(FT, "pictures-resnet50", -0.06, recommender="freedom-sbert"),
    ]
    assert answer_of(*rows).others == [
        "With other recommenders there are intervals and no test.",
        "Fine-tuned minus pre-trained captions: +0.0500 [+0.0300, +0.0700] with content kNN, "
        "+0.0100 [−0.0100, +0.0300] with FREEDOM (it holds zero).",
        "Fine-tuned captions minus pictures alone (resnet50): −0.0600 [−0.0800, −0.0400] with FREEDOM.",
    ]
    assert answer_of(*rows[:2]).others == []


def test_a_study_without_the_experiment_says_so() -> None:
    assert answer_of() == answer_of(arrivals_row(FT, PT)) == write_answer({}, {}, RECOMMENDER) == Answer(NO_ARRIVALS)


@pytest.mark.parametrize(("low", "words"), [(-0.009, "holds zero"), (0.0001, "leaves out zero")])
def test_the_warm_case_has_an_interval_and_a_floor_but_no_verdict(low: float, words: str) -> None:
    row = {"recommender": "vbpr-sbert", "metric": "ndcg_masked_12", "a": "ft", "b": "pt", "mean_a": 0.0457}
    row |= {"mean_b": 0.0448, "difference": 0.0008, "low": low, "high": 0.0106}
    comparison = {"arrivals": [primary("better")], "masked": [row | {"metric": "ndcg_12"}, row]}
    first, second = write_answer(comparison, {"original": {"bpr": {"ndcg_masked_12": 0.0461}}}, RECOMMENDER).warm
    assert "+0.0008 [" in first
    assert words in first
    assert (
        second
        == "BPR-MF, which reads neither words nor pictures, has 0.0461 on them; the captions have 0.0457 and 0.0448."
    )
    assert len(write_answer(comparison, {}, RECOMMENDER).warm) == 1
    assert not CLAIMS.search(first + second)


def test_a_sentence_has_one_thought_and_an_end() -> None:
    rows = [primary("not shown"), row_with_finding(FT, "none", "better"), row_with_finding(FT, "table", "worse")]
    for sentence in sentences(answer_of(*rows)):
        assert sentence.endswith(".")
        assert len(re.findall(r"\.(?:\s|$)", sentence)) == 1
        assert len(sentence.split()) <= 30
