"""The search: what each cell learns for, which is chosen, and that a killed search continues."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from features.files import Rows
from recsys.purchases.dataset import Dataset, dataset_of
from recsys.ranking.scorers import Factors, SameForAll
from recsys.ranking.settings import Run
from recsys.recommenders import bpr, itemknn
from recsys.tuning.search import choose_best, is_needed, try_cells
from recsys.tuning.settings import RecTune
from recsys.tuning.tasks import Task
from tests.recsys.recommenders.contract import RUN, settings_of, shop

TUNE = RecTune(epochs=9, patience=2, evaluate_every=2)
DATA = dataset_of(shop())


def task_of(measure: Any) -> Task:
    return Task(DATA, None, measure, {})


def test_the_best_number_of_epochs_of_each_cell_is_found_and_the_best_cell_chosen(tmp_path: Path) -> None:
    """The longer the users' vectors, the worse, except where the values say otherwise."""
    values = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.2, 0.3, 0.2, 0.6])
    cells = [{"learning_rate": 0.05}, {"learning_rate": 0.01}]
    trials = try_cells(bpr, settings_of(bpr), cells, TUNE, task_of(lambda _: next(values)), RUN, tmp_path)
    assert trials == [
        {"learning_rate": 0.05, "epochs": 4, "ndcg_12": 0.5},  # stopped after two that are no better
        {"learning_rate": 0.01, "epochs": 9, "ndcg_12": 0.6},  # the last epoch is measured too
    ]
    assert choose_best(trials, 12) == {"learning_rate": 0.01, "epochs": 9}


def test_what_learns_in_no_epochs_is_measured_once(tmp_path: Path) -> None:
    values = iter([0.3, 0.4, 0.4])
    trials = try_cells(
        itemknn,
        settings_of(itemknn),
        [{"k": k} for k in (1, 2, 3)],
        TUNE,
        task_of(lambda _: next(values)),
        RUN,
        tmp_path,
    )
    assert choose_best(trials, 12) == {"k": 2}


def test_a_killed_search_continues_with_the_cell_that_was_not_finished(tmp_path: Path) -> None:
    tried: list[int] = []

    def fit(data: Dataset, settings: itemknn.Settings, run: Run, features: Rows | None = None) -> SameForAll:
        tried.append(settings.k)
        if len(tried) == 3:
            raise KeyboardInterrupt
        return SameForAll(np.full(90, settings.k, np.float32))

    fake: Any = SimpleNamespace(fit=fit, Settings=itemknn.Settings)
    search = (
        fake,
        settings_of(itemknn),
        [{"k": k} for k in (4, 5, 6)],
        TUNE,
        task_of(lambda own: float(own.item[0]) / 10),
    )
    with pytest.raises(KeyboardInterrupt):
        try_cells(*search, RUN, tmp_path)
    trials = try_cells(*search, RUN, tmp_path)
    assert tried == [4, 5, 6, 6]
    assert [trial["ndcg_12"] for trial in trials] == pytest.approx([0.4, 0.5, 0.6])


def test_a_search_is_needed_for_cells_or_epochs() -> None:
    fixed = RecTune(epochs=9, patience=0, evaluate_every=2)
    assert is_needed([{}], settings_of(bpr), TUNE)
    assert not is_needed([{}], settings_of(bpr), fixed)
    assert is_needed([{"factors": 4}, {"factors": 8}], settings_of(bpr), fixed)
    assert not is_needed([{}], settings_of(itemknn), TUNE)


def test_the_chosen_epochs_give_the_model_that_was_measured(tmp_path: Path) -> None:
    seen: list[np.ndarray] = []

    def measure(scorer: Any) -> float:
        seen.append(scorer.user.copy())  # it goes on learning
        return -abs(len(seen) - 3)

    [trial] = try_cells(bpr, settings_of(bpr), [{}], TUNE, task_of(measure), RUN, tmp_path)
    factors = bpr.fit(DATA, settings_of(bpr, epochs=trial["epochs"]), RUN)
    assert isinstance(factors, Factors)
    assert trial["epochs"] == 6
    np.testing.assert_array_equal(factors.user, seen[2])
