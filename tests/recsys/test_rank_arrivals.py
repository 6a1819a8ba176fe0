"""The stage `rank_arrivals` on a small study: its sources, its files and figures, and its refusals."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.files import read_features, write_features
from pipeline.core.errors import UserError
from recsys import fit_arrivals, rank_arrivals
from tests.helpers.full import slowly
from tests.helpers.repository import digest

SOURCES = ("sources/words/none", "sources/words/reference", "imputed/words/mean")


def run(monkeypatch: pytest.MonkeyPatch, recommender: str, *features: str, fit: bool = True) -> dict[str, Any]:
    """Fit and rank a cell, and return its metrics."""
    words = ["", "--recommender", recommender, *features]
    monkeypatch.setattr(sys, "argv", words)
    if fit:
        fit_arrivals.main()
    rank_arrivals.main()
    return json.loads(Path(f"metrics/arrivals/{recommender}-{features[-1]}.json").read_text())


WORDS = ("--text", "original", "--features", "words")
PARITY = ("--catalogue", "original", "--features", "parity")


@pytest.fixture
def arrivals(study: Path) -> list[str]:
    """Write features of the arrivals from three sources, one of which has the validation arrivals too; return ids."""
    items = pd.read_parquet("data/prepared/items.parquet")
    ids, others = (items.loc[items["split"] == name, "item_id"].tolist() for name in ("test", "validation"))
    stored = read_features("data/features/text/original/words")
    rows = {"reference": stored.take(ids), "none": np.ones((len(ids), 6)), "mean": stored.take([*ids, *others])}
    for source in SOURCES:
        own = rows[source.rpartition("/")[2]]
        write_features(f"data/features/{source}", [*ids, *others][: len(own)], own)
    return ids


@pytest.mark.parametrize("recommender", ["vbpr", "contentknn", "freedom", *slowly("bm3", "mgcn", "lattice")])
def test_every_source_has_its_figures(arrivals: list[str], monkeypatch: pytest.MonkeyPatch, recommender: str) -> None:
    metrics = run(monkeypatch, recommender, *WORDS)
    assert list(metrics) == ["counts", "sources", "validation"]
    assert list(metrics["sources"]) == ["mean", "none", "reference"]
    assert set(metrics["sources"]["none"]) == {
        *(
            "ndcg_12",
            "recall_12",
            "hit_rate_12",
            "hit_items",
            "ndcg_12_all",
            "share_12",
            "everyone_ndcg_12",
            "similarity",
        )
    }
    assert metrics["sources"]["mean"]["ndcg_12"] == metrics["sources"]["reference"]["ndcg_12"]  # the same rows here
    assert metrics["sources"]["reference"]["similarity"] == pytest.approx(1)
    assert list(metrics["validation"]) == ["mean"]
    counts = metrics["counts"]
    assert counts["arrivals"] == len(arrivals)
    assert counts["products"] == len(arrivals) // 2
    assert counts["runs"] == (1 if recommender == "contentknn" else 3)
    folder = Path(f"data/arrivals/ranked/{recommender}-words")
    assert counts["users"] == len(pd.read_parquet(folder / "users.parquet"))
    table = pd.read_parquet(folder / "contributions.parquet")
    for source, figures in metrics["sources"].items():
        own = table.loc[table["source"] == source, "contribution"].sum()
        assert own / counts["users"] / counts["runs"] == pytest.approx(figures["ndcg_12"])


def test_pictures_are_one_source_and_have_validation(arrivals: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = run(monkeypatch, "vbpr", *PARITY)
    assert list(metrics["sources"]) == list(metrics["validation"]) == ["pictures"]
    assert "similarity" not in metrics["sources"]["pictures"]
    assert metrics["validation"]["pictures"]["ndcg_12"] > 0


def test_only_words_differ_between_sources(arrivals: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fitted again: the models and the figures of the others keep their bytes."""
    before, models = run(monkeypatch, "vbpr", *WORDS), digest(Path("data/arrivals/models/vbpr-words"))
    write_features(
        "data/features/sources/words/none", arrivals, np.random.default_rng(0).normal(size=(len(arrivals), 6))
    )
    after = run(monkeypatch, "vbpr", *WORDS, fit=False)
    assert digest(Path("data/arrivals/models/vbpr-words")) == models
    assert after["sources"]["none"] != before["sources"]["none"]
    for source in ("mean", "reference"):
        assert after["sources"][source] == before["sources"][source]


def test_the_same_inputs_give_the_same_bytes_with_any_number_of_threads(
    arrivals: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, "vbpr", *WORDS)
    folder = Path("data/arrivals/ranked/vbpr-words")
    before = digest(folder)
    params = Path("params.yaml").read_text()
    assert "  threads: 2" in params
    Path("params.yaml").write_text(params.replace("  threads: 2", "  threads: 1"))
    run(monkeypatch, "vbpr", *WORDS, fit=False)
    assert digest(folder) == before


def test_a_source_that_lacks_an_arrival_is_one_message(arrivals: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    write_features("data/features/sources/words/none", arrivals[1:], np.ones((len(arrivals) - 1, 6)))
    with pytest.raises(
        UserError, match=f"words/none: 1 of {len(arrivals)} items have no features, first {arrivals[0]}"
    ):
        run(monkeypatch, "vbpr", *WORDS)
    assert not Path("metrics/arrivals/vbpr-words.json").exists()


def test_models_of_other_purchases_are_refused(arrivals: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "contentknn", *WORDS)
    path = Path("data/interactions/train.parquet")
    table = pd.read_parquet(path)
    table[table["user"] > 0].to_parquet(path)
    with pytest.raises(UserError, match=r"run-0\.safetensors: fitted on other users than data/interactions has"):
        run(monkeypatch, "contentknn", *WORDS, fit=False)


def test_features_must_be_named(arrivals: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="vbpr needs --features"):
        run(monkeypatch, "vbpr", "--catalogue", "original", fit=False)
