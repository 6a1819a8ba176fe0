import numpy as np
import pytest

from captioning.scores import bleu, meteor
from captioning.scores.reference_based import score_captions, score_with
from pipeline.core.errors import UserError

METRICS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider")
REFERENCES = {
    "1": ["A red dress with long sleeves."],
    "2": ["Blue jeans in washed denim.", "Washed blue jeans"],
    "3": ["A cap in soft cotton twill with a metal fastener."],
    "4": ["Striped jumper in a soft rib knit."],
}
CAPTIONS = {"1": "A red dress.", "2": "blue jeans", "3": "A cotton cap!", "4": "A striped shirt"}


def wide(scores, name):
    """Return the table of a set: a row per item, a column per metric."""
    rows = scores.items[scores.items["set"] == name]
    return rows.pivot(index="item_id", columns="metric", values="value")


@pytest.fixture(scope="module")
def coco_ours(jvm, coco):
    captions, references = coco
    return score_with(jvm, {"coco": captions}, references)


def test_the_corpus_equals_pycocoevalcap_at_full_precision(coco_ours, coco_scores):
    """Defect: scores rounded twice (to 4 digits, then as a percentage) differ by up to 1e-4."""
    for metric in METRICS:
        assert coco_ours.corpus["coco"][metric] == pytest.approx(coco_scores["corpus"][metric], abs=1e-9), metric


def test_every_item_equals_pycocoevalcap(coco_ours, coco_scores):
    table = wide(coco_ours, "coco").loc[[str(item) for item in coco_scores["ids"]]]
    assert len(table) == 500
    for metric in METRICS:
        np.testing.assert_allclose(table[metric], coco_scores["items"][metric], rtol=0, atol=1e-9, err_msg=metric)


def test_the_statistics_on_disk_give_the_corpus_scores(coco_ours):
    sums = wide(coco_ours, "coco").sum()
    corpus = coco_ours.corpus["coco"]
    corpus_bleu = bleu.bleu_from_statistics(sums[list(bleu.STATISTICS)].to_numpy())
    assert corpus_bleu.tolist() == [corpus[f"bleu_{n}"] for n in (1, 2, 3, 4)]
    assert meteor.meteor_from_statistics(sums[list(meteor.STATISTICS)].to_numpy()) == corpus["meteor"]


@pytest.mark.slow
def test_many_sets_together_equal_each_alone(jvm):
    sets = {"a": CAPTIONS, "b": {**CAPTIONS, "1": "a coat"}, "some": {"2": "blue jeans"}}
    together = score_with(jvm, sets, REFERENCES)
    for name, captions in sets.items():
        alone = score_with(jvm, {name: captions}, REFERENCES)
        assert together.corpus[name] == alone.corpus[name]
        np.testing.assert_array_equal(wide(together, name), wide(alone, name))


@pytest.mark.slow
def test_the_order_of_items_does_not_matter(jvm):
    backwards = [dict(reversed(list(texts.items()))) for texts in (CAPTIONS, REFERENCES)]
    first = score_with(jvm, {"a": CAPTIONS}, REFERENCES)
    second = score_with(jvm, {"a": backwards[0]}, backwards[1])
    assert first.corpus == second.corpus
    assert first.items.equals(second.items)


def test_captions_equal_to_their_references(jvm):
    captions = {item: texts[0] for item, texts in REFERENCES.items() if len(texts) == 1}
    corpus = score_with(jvm, {"a": captions}, REFERENCES).corpus["a"]
    perfect = [*(f"bleu_{n}" for n in (1, 2, 3, 4)), "meteor", "rouge_l", "length_ratio"]
    assert [corpus[metric] for metric in perfect] == pytest.approx([1.0] * 7, abs=1e-8)
    assert corpus["cider"] == pytest.approx(10.0)


def test_an_empty_caption_scores_0_by_every_metric(jvm):
    for empty in ("", "  ", "...", "-- !"):
        table = wide(score_with(jvm, {"a": {**CAPTIONS, "1": empty}}, REFERENCES), "a")
        assert (table.loc["1", list(METRICS)] < 1e-9).all()  # pycocoevalcap guards its divisions
        assert table.loc["1", "length_ratio"] == 0


def test_an_item_without_reference_is_left_out_and_not_scored_0(jvm):
    """Defect: empty references scored 0 pull every mean down."""
    references = {**REFERENCES, "5": [""], "6": ["..."], "7": []}
    captions = {**CAPTIONS, "5": "a coat", "6": "a tie", "7": "a bag"}
    with_empty = score_with(jvm, {"a": captions}, references)
    without = score_with(jvm, {"a": CAPTIONS}, REFERENCES)
    assert with_empty.left_out == ["5", "6", "7"]
    assert with_empty.corpus == without.corpus
    assert with_empty.items.equals(without.items)


def test_an_empty_text_among_references_is_none(jvm):
    references = {**REFERENCES, "2": [*REFERENCES["2"], " "]}
    assert score_with(jvm, {"a": CAPTIONS}, references).corpus == score_with(jvm, {"a": CAPTIONS}, REFERENCES).corpus


def test_the_length_ratio_is_the_ratio_of_the_sums(jvm):
    corpus = score_with(jvm, {"a": CAPTIONS}, REFERENCES).corpus["a"]
    words, reference_words = 3 + 2 + 3 + 3, 6 + (5 + 3) / 2 + 10 + 7
    assert corpus["length_ratio"] == words / reference_words


def test_wrong_input_is_refused_before_java_starts():
    with pytest.raises(UserError, match="a: 2 of 3 captions have no references, first 8, 9"):
        score_captions({"a": {"1": "x", "8": "y", "9": "z"}}, REFERENCES, None)
    with pytest.raises(UserError, match="a: the text of 1 is nan"):
        score_captions({"a": {"1": float("nan")}}, REFERENCES, None)
    with pytest.raises(UserError, match="references: the text of 1 is None"):
        score_captions({"a": {"1": "x"}}, {"1": [None]}, None)


def test_nothing_to_score_is_refused(jvm):
    with pytest.raises(UserError, match="a: no item has both"):
        score_with(jvm, {"a": {"1": "x"}}, {"1": [""]})
