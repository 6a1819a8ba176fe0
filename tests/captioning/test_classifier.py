import json
import shutil
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from captioning import classifier
from captioning.classifiers.logistic import load
from pipeline.core.errors import UserError
from sample.garments.attributes import sample
from sample.garments.wording import describe

ROOT = Path(__file__).parents[2]


def items(count: int = 120) -> pd.DataFrame:
    rng = Random(3)
    garments = [sample(rng, {"dress": 1, "boots": 1, "shirt": 1}) for _ in range(count)]
    table = pd.DataFrame(
        {
            "item_id": [f"{number:010}" for number in range(count)],
            "description": [describe(g, rng).lower() for g in garments],
        }
    )
    splits = ["train", "train", "validation", "test", None]
    return table.assign(category=[g.type for g in garments], split=[splits[number % 5] for number in range(count)])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/prepared").mkdir(parents=True)
    shutil.copy(ROOT / "studies/sample.yaml", "params.yaml")
    return tmp_path


def test_learns_categories_from_training_descriptions_only(project: Path) -> None:
    table = items()
    table.loc[table["split"].isna(), ["description", "category"]] = [None, "never seen"]
    table.to_parquet("data/prepared/items.parquet")
    classifier.main()
    metrics = json.loads(Path("metrics/classifier.json").read_text())
    assert load("data/classifier").categories == ("boots", "dress", "shirt")
    assert metrics["categories"] == 3
    assert metrics["test_items"] == 24
    assert metrics["test_accuracy"] == 1.0


def test_accuracy_is_counted_on_the_split_it_names(project: Path) -> None:
    table = items()
    swapped = table["split"].eq("test") & table["category"].eq("boots")
    table.loc[swapped, "category"] = "dress"
    table.to_parquet("data/prepared/items.parquet")
    classifier.main()
    metrics = json.loads(Path("metrics/classifier.json").read_text())
    assert metrics["validation_accuracy"] == 1.0
    assert metrics["test_accuracy"] == pytest.approx(1 - swapped.sum() / 24)


@pytest.mark.slow
def test_same_bytes_in_any_order_of_the_items(project: Path) -> None:
    items().to_parquet("data/prepared/items.parquet")
    classifier.main()
    first = Path("data/classifier/head.safetensors").read_bytes()
    items().sample(frac=1, random_state=1).to_parquet("data/prepared/items.parquet")
    classifier.main()
    assert Path("data/classifier/head.safetensors").read_bytes() == first


@pytest.mark.parametrize(
    ("change", "message"),
    [({"category": "dress"}, "one category"), ({"split": "train"}, "no item in split test, validation")],
)
def test_data_that_cannot_teach(project: Path, change: dict[str, str], message: str) -> None:
    items().assign(**change).to_parquet("data/prepared/items.parquet")
    with pytest.raises(UserError, match=message):
        classifier.main()
    assert not list(project.glob("data/classifier*"))


def test_regularisation_must_be_positive(project: Path) -> None:
    params = Path("params.yaml")
    text = params.read_text()
    assert "  regularisation: 1.0 # of the logistic head" in text
    params.write_text(text.replace("  regularisation: 1.0 # of", "  regularisation: 0 # of"))
    with pytest.raises(UserError, match=r"caption_classifier.regularisation: 0"):
        classifier.main()
