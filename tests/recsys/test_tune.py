"""The stage `tune` on a small study: what it reads, what it writes, and that nothing it must not see chooses."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.files import read_features, write_features
from pipeline.core.errors import UserError
from pipeline.core.params import load
from recsys import tune
from recsys.ranking import recommend as ranking
from recsys.tuning import measures
from tests.helpers.params_files import write_values

BPR = "--experiment warm --recommender bpr --catalogue original"
ARRIVALS = "--experiment arrivals --recommender vbpr --text original --features words"


def change_params(**sections: Any) -> None:
    """Change keys of sections of params.yaml."""
    params = load(Path("params.yaml"))
    for section, values in sections.items():
        params[section] |= values
    write_values(params, "params.yaml")


def run(monkeypatch: pytest.MonkeyPatch, arguments: str) -> dict[str, Any]:
    monkeypatch.setattr(sys, "argv", ["recsys.tune", *arguments.split()])
    tune.main()
    words = dict(zip(arguments.split()[::2], arguments.split()[1::2], strict=True))
    name = "-".join(words[option] for option in ("--recommender", "--features") if option in words)
    return json.loads(Path(f"metrics/tune/{words['--experiment']}/{name}.json").read_text())


@pytest.fixture(autouse=True)
def few_epochs(study: Path) -> None:
    change_params(rec_tune={"epochs": 6, "evaluate_every": 2, "bpr": {"learning_rate": [0.02, 0.1]}})


def test_the_choice_is_that_of_the_best_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, keys in (
        (BPR, {"learning_rate", "epochs"}),
        ("--experiment warm --recommender itemknn --catalogue original", {"k"}),
        (
            "--experiment warm --recommender vbpr --text original --features words",
            {"learning_rate", "regularisation", "epochs"},
        ),
        (
            "--experiment warm --recommender vbpr --catalogue original --features parity",
            {"learning_rate", "regularisation", "epochs"},
        ),
        (ARRIVALS, {"learning_rate", "regularisation", "epochs"}),
    ):
        found = run(monkeypatch, arguments)
        trials = list(found["trials"].values())
        assert list(found["trials"]) == [str(number + 1) for number in range(len(trials))]
        assert set(found["choice"]) == keys
        assert found["choice"] | {"ndcg_12": max(trial["ndcg_12"] for trial in trials)} in trials
        assert found["counts"]["users"] > 10
    assert not list(Path(".checkpoints").glob("rec_tune-*"))


def test_lists_are_measured_where_and_with_the_threads_that_params_yaml_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the fit makes its own: on one thread a search on a large shop waits for its measurements."""
    before, asked = run(monkeypatch, BPR), []

    def recommend(*arguments: Any) -> Any:
        asked.append(arguments[4:])
        return ranking.recommend(*arguments)

    monkeypatch.setattr(measures, "recommend", recommend)
    change_params(machine={"threads": 3})
    assert run(monkeypatch, BPR) == before
    assert set(asked) == {(3, "cpu")}


def test_where_there_is_nothing_to_choose_nothing_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--experiment warm --recommender mostpop --catalogue original")["choice"] == {}
    arguments = "--experiment arrivals --recommender contentknn --text original --features words"
    assert run(monkeypatch, arguments) == {"choice": {}, "trials": {}, "counts": {}}
    change_params(rec_tune={"patience": 0, "bpr": {"learning_rate": [0.07]}})
    assert run(monkeypatch, BPR)["choice"] == {"learning_rate": 0.07}


@pytest.mark.slow
def test_the_same_data_give_the_same_bytes_and_test_purchases_choose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does any purchase or feature of an arrival: both are changed."""
    paths = [Path("metrics/tune/warm/bpr.json"), Path("metrics/tune/arrivals/vbpr-words.json")]
    for arguments in (BPR, ARRIVALS):
        run(monkeypatch, arguments)
    before = [path.read_bytes() for path in paths]
    test = pd.read_parquet("data/interactions/test.parquet")
    test.assign(item=test["item"].to_numpy()[::-1]).to_parquet("data/interactions/test.parquet")
    for arguments in (BPR, ARRIVALS):
        run(monkeypatch, arguments)
    assert [path.read_bytes() for path in paths] == before
    hide_arrivals()
    run(monkeypatch, ARRIVALS)
    assert paths[1].read_bytes() == before[1]
    run(monkeypatch, BPR)
    assert paths[0].read_bytes() != before[0]  # in the warm experiment they are items as others


def hide_arrivals() -> None:
    """Give every train purchase of an arrival to another arrival, and arrivals other features."""
    items = pd.read_parquet("data/prepared/items.parquet")
    arrivals = np.flatnonzero(items["split"] == "test")
    train = pd.read_parquet("data/interactions/train.parquet")
    own = train["item"].isin(arrivals)
    train.loc[own, "item"] = np.roll(train.loc[own, "item"], 1).astype("int32")
    train.to_parquet("data/interactions/train.parquet")
    folder = Path("data/features/text/original/words")
    features = read_features(folder)
    array = np.array(features.array)
    array[np.isin(features.ids, items["item_id"][arrivals])] += 3
    write_features(folder, features.ids, array)


def test_an_empty_validation_cut_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("data/interactions/validation.parquet")
    pd.read_parquet(path)[:0].to_parquet(path)
    with pytest.raises(UserError, match=r"the validation cut of the catalogue original is empty; set rec_interactions"):
        run(monkeypatch, BPR)


def test_a_recommender_that_ranks_no_arrivals_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        UserError, match=r"itemknn cannot rank an item .*: bm3, contentknn, freedom, lattice, mgcn, vbpr"
    ):
        run(monkeypatch, "--experiment arrivals --recommender itemknn --catalogue original")
