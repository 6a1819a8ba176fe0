"""The stage `fit_arrivals` on a small study: no purchase and no feature of an arrival reaches a fit."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catalogue.prepared.items import read_items
from features.files import Rows, read_features, write_features
from pipeline.core.errors import UserError
from recsys import fit_arrivals
from recsys.arrivals.models import open_model
from recsys.purchases.arrivals import hold_out_test, hold_out_validation
from recsys.purchases.dataset import Dataset, read_split
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run
from recsys.recommenders import contentknn, vbpr
from tests.helpers.full import slowly
from tests.helpers.interactions import write_choice
from tests.helpers.repository import digest

VBPR = "--recommender vbpr --text original --features words"
KNN = "--recommender contentknn --text original --features words"
PICTURES = "--recommender vbpr --catalogue original --features parity"


def run(monkeypatch: pytest.MonkeyPatch, arguments: str) -> Path:
    """Fit a cell, and return the folder of its models."""
    monkeypatch.setattr(sys, "argv", ["recsys.fit_arrivals", *arguments.split()])
    fit_arrivals.main()
    words = arguments.split()
    return Path(f"data/arrivals/models/{words[1]}-{words[-1]}")


def find_arrivals() -> np.ndarray:
    """Return the indices of the arrivals: the captioning test items."""
    return np.flatnonzero(pd.read_parquet("data/prepared/items.parquet")["split"] == "test")


@pytest.mark.parametrize(("arguments", "runs"), [(VBPR, 3), (KNN, 1), (PICTURES, 3)])
def test_a_model_for_each_run_and_one_without_the_validation_arrivals(
    study: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, runs: int
) -> None:
    folder = run(monkeypatch, arguments)
    names = [*(f"run-{number}.safetensors" for number in range(runs)), "validation.safetensors"]
    assert sorted(path.name for path in folder.iterdir()) == names
    split, items = (
        read_split(catalogue="original"),
        read_items(Path("data/prepared/items.parquet"), ["item_id", "split"]),
    )
    for name in names:
        held_out = (hold_out_validation if "validation" in name else hold_out_test)(split, items)
        with open_model(folder / name, held_out.data) as model:
            assert model.n_users == len(held_out.data.users)
    assert not list(Path(".checkpoints").glob("rec_fit_arrivals-*"))


@pytest.mark.parametrize("arguments", [VBPR, *slowly(KNN, PICTURES)])
def test_no_purchase_and_no_feature_of_an_arrival_reaches_a_fit(
    study: Path, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    before, arrivals = digest(run(monkeypatch, arguments)), find_arrivals()
    random = np.random.default_rng(0)
    for name in ("train", "test", "validation"):
        path = f"data/interactions/{name}.parquet"
        table = pd.read_parquet(path)
        own = table["item"].isin(arrivals)
        assert own.any() or name == "validation"
        more = pd.DataFrame({"user": random.integers(50, size=40), "item": random.choice(arrivals, 40), "day": 3})
        kept = table[~own | (random.random(len(table)) < 0.5)]
        pd.concat([kept, more]).astype("int32").sample(frac=1, random_state=1).to_parquet(path)
    for folder in (Path("data/features/text/original/words"), Path("data/features/image/parity")):
        features = read_features(folder)
        array = np.array(features.array)
        ids = read_split(catalogue="original").item_ids[arrivals]
        array[np.isin(features.ids, ids.astype(str))] = 40
        order = random.permutation(len(array))
        write_features(folder, [features.ids[row] for row in order], array[order])
    assert digest(run(monkeypatch, arguments)) == before
    array[:] = 1
    write_features(folder, features.ids, array + random.normal(size=array.shape))
    assert arguments != PICTURES or digest(run(monkeypatch, arguments)) != before


def test_the_choice_of_tuning_is_used(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[vbpr.Settings] = []

    def fit(data: Dataset, settings: vbpr.Settings, run: Run, features: Rows | None = None) -> Factors:
        seen.append(settings)
        return contentknn.fit(data, contentknn.Settings(), run, features)

    monkeypatch.setattr(vbpr, "fit", fit)
    write_choice("arrivals", "vbpr-words", epochs=5, learning_rate=0.3)
    write_choice("warm", "vbpr-words", epochs=7)
    run(monkeypatch, VBPR)
    assert {(settings.epochs, settings.learning_rate) for settings in seen} == {(5, 0.3)}


def test_a_killed_fit_keeps_its_models_and_ends_with_the_same_bytes(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, learn, seeds = digest(run(monkeypatch, VBPR)), vbpr.fit, []

    def dying(data: Dataset, settings: vbpr.Settings, run: Run, features: Rows | None = None) -> Factors:
        seeds.append(run.seed)
        if len(seeds) == 3:
            raise KeyboardInterrupt
        return learn(data, settings, run, features)

    monkeypatch.setattr(vbpr, "fit", dying)
    with pytest.raises(KeyboardInterrupt):
        fit_arrivals.main()
    fit_arrivals.main()
    assert digest(Path("data/arrivals/models/vbpr-words")) == expected
    assert len(seeds) == 5  # the third again, and the one without the validation arrivals
    assert seeds[-1] == seeds[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--recommender bpr --catalogue original", "bpr cannot rank an item that nobody has bought"),
        ("--recommender vbpr --catalogue original", "vbpr needs --features"),
        ("--recommender vbpr --text original --features wrds", "data/features/text/original/wrds: no such features"),
    ],
)
def test_bad_arguments_are_one_message(
    study: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, message: str
) -> None:
    write_choice("arrivals", "bpr")
    write_choice("arrivals", "vbpr")
    write_choice("arrivals", "vbpr-wrds")
    with pytest.raises(UserError, match=message):
        run(monkeypatch, arguments)


def test_a_cell_that_was_not_tuned_says_so(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("metrics/tune/arrivals/vbpr-words.json").unlink()
    with pytest.raises(UserError, match=r"metrics/tune/arrivals/vbpr-words\.json: no such file; run `dvc repro`"):
        run(monkeypatch, VBPR)
