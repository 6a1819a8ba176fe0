"""A shop's own tables and pictures become a study, read by the reader for any shop."""

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from catalogue import prepare
from catalogue.prepared.images import ImageStore
from lookbook.workspace import check
from lookbook.workspace.new import choose_columns, create_study
from pipeline.core.errors import UserError
from pipeline.core.params import load
from tests.helpers.raw_data import write_sample, write_shop

ROOT = Path(__file__).parents[3]
TINY = ("tiny-llava", "llava")
FILES = Path("elsewhere/catalogue.csv"), Path("elsewhere/pictures"), Path("elsewhere/orders.csv")
TITLE = {"description": "title"}


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def project(small_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty project the working directory, with the files of a shop in `elsewhere/`."""
    monkeypatch.chdir(tmp_path)
    write_shop(small_shop, Path("elsewhere"))
    Path("data").mkdir()
    Path("data/models").symlink_to(ROOT / "data/models")
    return tmp_path


def prepared(study: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    Path("params.yaml").write_bytes(study.read_bytes())
    prepare.main()
    return pd.read_parquet("data/prepared/items.parquet"), json.loads(Path("metrics/catalogue.json").read_text())


def test_a_shop_is_prepared_under_its_own_names(project: Path) -> None:
    study, columns = create_study("boutique", *FILES, TITLE, TINY)
    assert study == Path("studies/boutique.yaml")
    assert columns.model_dump() == {
        **{"item": "sku", "description": "title", "category": "type", "product": "style", "colour": "", "image": ""},
        **{"user": "customer", "purchased": "sku", "day": "date"},
    }
    assert check.find_problems(study) == []
    items, metrics = prepared(study)
    table = pd.read_csv("elsewhere/catalogue.csv", dtype=str).sort_values("sku")
    assert items["item_id"].tolist() == table["sku"].tolist()
    assert items["description"].tolist() == table["title"].str.lower().tolist()
    assert items["category"].tolist() == table["type"].tolist()
    assert (items.groupby("product_code")["split"].nunique(dropna=False) <= 2).all()
    original = items[items["original"]]
    assert (original.groupby("product_code")["split"].nunique() == 1).all()
    bought = pd.read_csv("elsewhere/orders.csv", dtype=str)
    purchases = pd.read_parquet("data/prepared/purchases.parquet")
    known = bought[bought["sku"].isin(table["sku"])]
    assert purchases["item_id"].tolist() == known["sku"].tolist()
    assert purchases["user_id"].tolist() == known["customer"].tolist()
    assert metrics["purchases_of_unknown_articles"] == len(bought) - len(known)
    assert len(ImageStore("data/prepared/images")) == len(items)


def test_the_tables_are_linked_and_the_pictures_packed(project: Path) -> None:
    create_study("boutique", *FILES, TITLE, TINY)
    raw = project / "data/raw/boutique"
    assert sorted(path.name for path in raw.iterdir()) == ["images.zip", "items.csv", "purchases.csv"]
    assert all(
        (raw / name).resolve() == file.resolve()
        for name, file in (("items.csv", FILES[0]), ("purchases.csv", FILES[2]))
    )
    with zipfile.ZipFile(raw / "images.zip") as archive:
        assert archive.namelist() == [f"images/{path.name}" for path in sorted(FILES[1].iterdir())]
        assert all(archive.read(f"images/{path.name}") == path.read_bytes() for path in FILES[1].iterdir())
    first = (raw / "images.zip").read_bytes()
    create_study("again", *FILES, TITLE, TINY)
    assert Path("data/raw/again/images.zip").read_bytes() == first


def test_without_purchases_the_recommender_half_is_off(project: Path) -> None:
    study, _ = create_study("boutique", FILES[0], FILES[1], None, TITLE, TINY)
    params = load(study)
    assert all(
        params[axis] == [] for axis in ("catalogues", "texts", "recommenders", "image_features", "text_features")
    )
    assert check.find_problems(study) == []
    _, metrics = prepared(study)
    assert metrics["purchases"] == 0
    assert list(pd.read_parquet("data/prepared/purchases.parquet").columns) == ["user_id", "item_id", "day"]


def test_the_study_keeps_comments_and_keys_of_the_sample(project: Path) -> None:
    study, _ = create_study("boutique", *FILES, TITLE, TINY)
    sample = ROOT / "studies/sample.yaml"
    assert list(load(study)) == list(load(sample))
    assert "# longest side in pixels" in study.read_text()
    assert load(study)["captioners"] == {"tiny-llava": {"family": "llava"}}
    assert load(study)["writer"] == "tiny-llava"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Boutique"}, r"--name Boutique: must be lower-case letters"),
        ({"name": "hm"}, r"--name hm: .* none of: sample, hm, facad"),
        ({"items": Path("none.csv")}, r"--items none\.csv: no such file"),
        ({"images": Path("data/models/tiny-stanza")}, r"--images .*: no pictures in it"),
        ({"images": Path("none")}, r"--images none: no such folder"),
        ({"purchases": Path("none.csv")}, r"--purchases none\.csv: no such file"),
        (
            {"column_names": {"description": "text"}},
            r"--column description=text: no such column; there are: sku, title",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_argument_is_named_and_nothing_is_written(project: Path, change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = dict(zip(("items", "images", "purchases"), FILES, strict=True))
    arguments |= {"name": "boutique", "column_names": TITLE, "captioner": TINY} | change
    with pytest.raises(UserError, match=message):
        create_study(**arguments)
    assert not (project / "studies").exists()
    assert not list((project / "data").glob("raw/*"))


def test_a_name_is_taken_once(project: Path) -> None:
    create_study("boutique", *FILES, TITLE, TINY)
    with pytest.raises(UserError, match=r"data/raw/boutique: exists already; choose another --name"):
        create_study("boutique", *FILES, TITLE, TINY)


def test_a_column_that_cannot_be_guessed_must_be_named() -> None:
    with pytest.raises(
        UserError, match=r"which column is the item's id\? There are: ref, words; add --column item=NAME"
    ):
        choose_columns(["ref", "words"], [], {})
    assert choose_columns(["ref", "words"], [], {"item": "ref", "description": "words"}).user == "user_id"


def test_dvc_sees_every_byte_of_it(project: Path) -> None:
    """DVC's fingerprint of the folder changes with each table and with the pictures."""
    create_study("boutique", *FILES, TITLE, TINY)
    subprocess.run(["git", "init", "--quiet"], check=True)
    Repo.init().close()

    def digest() -> str:
        with Repo() as repo:
            repo.add("data/raw/boutique", no_commit=True)
        tracked = YAML(typ="safe").load(Path("data/raw/boutique.dvc"))["outs"][0]
        assert tracked["nfiles"] == 3
        return tracked["md5"]

    seen = {digest()}
    for path in (FILES[0], FILES[2], Path("data/raw/boutique/images.zip")):
        path.write_bytes(path.read_bytes() + b"\n")
        seen.add(digest())
    assert len(seen) == 4
