"""Every score keeps its interface: the tables that mypy checks name each file, and columns are what METRICS says."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from captioning import scores
from captioning.scores import Garments, Pairs, content_based, reference_based
from captioning.scores.java.process import Jvm

NO_SCORES = {"__init__", "content_based", "ngrams", "reference_based", "settings", "study", "tables", "words"}
TABLES: list[Any] = [
    *reference_based.SUM_SCORES.values(),
    *reference_based.MEAN_SCORES.values(),
    *content_based.SCORES,
]
GARMENTS = Garments(
    items=["1", "2"],
    captions=["a red dress", "cotton"],
    selected=[["red", "dress"], []],
    attributes=[["red", "dress"], ["cap"]],
    vocabulary=["cap", "dress", "red"],
    categories=["Dress", "Cap"],
    predicted=["Dress", "Dress"],
    nearest=["Cap", "Cap"],
    truth=pd.DataFrame({"type": ["dress", "cap"], "colour": ["red", "red"], "pattern": ["solid", "solid"]}),
    references={"1": ["a red dress"], "2": ["a red cap"]},
    images=Path("none"),
    clip_model=None,
    bert_model=None,
    bert_layer=1,
    device="cpu",
    work=None,
)


def test_the_tables_name_every_file_of_a_score() -> None:
    files = {path.stem for path in Path(scores.__file__).parent.glob("*.py")} - NO_SCORES
    assert {module.__name__.rsplit(".", 1)[1] for module in TABLES} == files


def test_no_two_scores_write_the_same_column() -> None:
    columns = [name for module in TABLES for name in (*module.METRICS, *getattr(module, "STATISTICS", ()))]
    assert len(columns) == len(set(columns))


def test_reference_based_scores_have_a_column_for_each_name(jvm: Jvm) -> None:
    texts = ["a red dress", "a red dress with sleeves", "a cap"]
    pairs = Pairs(["1", "2"], texts[:2], {"1": texts[1:2], "2": texts[2:]}, {text: text for text in texts}, jvm)
    for summed in reference_based.SUM_SCORES.values():
        statistics = summed.count(pairs)
        assert statistics.shape == (2, len(summed.STATISTICS))
        assert summed.score_statistics(statistics).shape == (2, len(summed.METRICS))
        assert summed.score_statistics(statistics.sum(axis=0)).shape == (len(summed.METRICS),)
    for name, mean in reference_based.MEAN_SCORES.items():
        if name != "spice":  # which needs CoreNLP: test_spice.py
            assert mean.score(pairs).shape == (2, len(mean.METRICS))


def test_content_based_scores_have_the_columns_of_their_names() -> None:
    for module in content_based.SCORES:
        table = module.score(GARMENTS)
        if module in (content_based.clip_score, content_based.bert_score):
            assert table is None  # no model was chosen
        else:
            assert table is not None
            assert tuple(table.columns) == module.METRICS
            assert len(table) == 2
        assert set(module.LEFT_OUT) <= set(module.METRICS)


def test_a_new_score_is_a_file_and_its_name_in_a_table(jvm: Jvm, monkeypatch: pytest.MonkeyPatch) -> None:
    def share_of_new_words(pairs: Pairs) -> np.ndarray:
        shares = []
        for caption, references in pairs.tokenized:
            known = {word for text in references for word in text.split()}
            words = caption.split()
            shares.append([sum(word not in known for word in words) / len(words)])
        return np.array(shares)

    module = SimpleNamespace(METRICS=("new_words",), score=share_of_new_words)
    monkeypatch.setitem(reference_based.MEAN_SCORES, "new_words", module)
    captions, references = {"a": {"1": "a red cap", "2": "a cap"}}, {"1": ["a cap"], "2": ["The cap."]}
    result = reference_based.score_with(jvm, captions, references, ["rouge_l", "new_words"])
    assert result.corpus["a"]["new_words"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    values = result.items[result.items["metric"].eq("new_words")]
    assert values["value"].tolist() == pytest.approx([1 / 3, 1 / 2])
