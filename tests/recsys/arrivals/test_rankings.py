"""Rankings of every run and source: figures as plain loops have them, and validation without the arrivals."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from features.files import Rows
from recsys.arrivals import rankings
from recsys.arrivals.everything import draw_everyone
from recsys.arrivals.models import open_model, run_file, validation_file
from recsys.arrivals.rankings import project_sources, rank_runs, score_validation, summarise_source
from recsys.ranking.scorers import ItemFactors
from recsys.recommenders import vbpr
from tests.recsys.arrivals.examples import HIDDEN, SEEN, Example, draw_example, read_scores

K = 3
PROJECT = vbpr.project


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Example:
    monkeypatch.setattr(rankings, "BLOCK_USERS", 7)
    return draw_example(tmp_path)


def rank(example: Example) -> list[rankings.RunRanking]:
    everyone = draw_everyone(example.arrivals, example.split, 1000, 0)
    return rank_runs(vbpr, example.folder, example.arrivals, example.sources, everyone, K)


@pytest.mark.parametrize("source", ["none", "other", "reference"])
def test_figures_among_the_arrivals_are_those_of_plain_loops(example: Example, source: str) -> None:
    found = summarise_source(rank(example), source, example.arrivals, K)
    relevant, by_run, hit = example.arrivals.relevant, [], set()
    for number in (0, 1):
        _, scores = read_scores(example, number, source)
        values = []
        for user in example.arrivals.users:
            bought = set(relevant[user].indices.tolist())
            best = np.argsort(-scores[user], kind="stable")[:K].tolist()
            hits = [rank for rank, item in enumerate(best) if item in bought]
            hit |= bought & set(best)
            ideal = sum(1 / np.log2(np.arange(min(K, len(bought))) + 2))
            values.append([sum(1 / np.log2(r + 2) for r in hits) / ideal, len(hits) / len(bought), bool(hits)])
        by_run.append(np.mean(values, axis=0))
    expected = np.mean(by_run, axis=0)
    assert [found[f"{name}_{K}"] for name in ("ndcg", "recall", "hit_rate")] == pytest.approx(expected.tolist())
    assert found["hit_items"] == len(hit)


def test_columns_that_are_0_for_all_arrivals_are_left_out(example: Example) -> None:
    with open_model(run_file(example.folder, 0), example.arrivals.data) as model:
        projection = project_sources(vbpr, model, example.sources, example.arrivals.item_ids)
    assert projection.columns.tolist() == list(range(HIDDEN, HIDDEN + SEEN))
    assert projection.items["other"].vectors.shape == (len(example.arrivals.items), SEEN)


def test_arrivals_of_equal_features_are_ties_in_all_digits(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """A product of blocks may round equal rows differently: here every row differs by its place."""

    def project(learned: Mapping[str, np.ndarray], features: Rows) -> ItemFactors:
        items = PROJECT(learned, features)
        return ItemFactors(items.vectors, items.bias + 1e-6 * np.arange(len(items.bias), dtype=np.float32))

    monkeypatch.setattr(vbpr, "project", project)
    with open_model(run_file(example.folder, 0), example.arrivals.data) as model:
        projection = project_sources(vbpr, model, example.sources, example.arrivals.item_ids)
    for source in example.sources:
        rows = source.features.take(example.arrivals.item_ids)
        items = projection.items[source.name]
        assert len(np.unique(np.column_stack(items), axis=0)) == len(np.unique(rows, axis=0))
    assert len(np.unique(projection.items["none"].bias)) == 1


def test_validation_has_the_sources_that_have_features_of_its_arrivals(example: Example) -> None:
    path = validation_file(example.folder)
    found = score_validation(vbpr, path, example.validation, example.sources, K)
    assert sorted(found) == ["none", "reference"]
    assert sorted(found["none"]) == [f"{name}_{K}" for name in ("hit_rate", "ndcg", "recall")]
    assert score_validation(vbpr, path, example.validation, example.sources[1:2], K) == {}
