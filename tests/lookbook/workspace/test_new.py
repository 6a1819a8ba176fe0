"""A shop's own tables and pictures become a study, read by the reader for any shop."""

import json
import shlex
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
from lookbook.shops.sources import Sources
from lookbook.workspace import check
from lookbook.workspace.new import NEED_PURCHASES, Plan, choose_all_columns, describe, make_name, plan_study, write_plan
from pipeline.core.errors import UserError
from pipeline.core.params import load
from tests.helpers.raw_data import write_sample, write_shop
from tests.helpers.shop_exports import write_pictures, write_rows, write_shopify

ROOT = Path(__file__).parents[3]
TINY = ("tiny-llava", "llava")
ITEMS, PICTURES, ORDERS = Path("elsewhere/catalogue.csv"), Path("elsewhere/pictures"), Path("elsewhere/orders.csv")
FILES = Sources(ITEMS, ORDERS, PICTURES)


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


def create(name: str, sources: Sources = FILES, **named: str) -> Plan:
    """Plan and write a study."""
    plan = plan_study(name, sources, named, ["lookbook", "init"])
    write_plan(plan, TINY, "cpu")
    return plan


def prepared(study: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    Path("params.yaml").write_bytes(study.read_bytes())
    prepare.main()
    return pd.read_parquet("data/prepared/items.parquet"), json.loads(Path("metrics/catalogue.json").read_text())


def test_a_shop_is_prepared_under_its_own_names(project: Path) -> None:
    plan = create("boutique")
    study = plan.study
    assert study == Path("studies/boutique.yaml")
    assert plan.columns.model_dump() == {
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
    create("boutique")
    raw = project / "data/raw/boutique"
    assert sorted(path.name for path in raw.iterdir()) == ["images.zip", "items.csv", "purchases.csv"]
    assert all(
        (raw / name).resolve() == file.resolve() for name, file in (("items.csv", ITEMS), ("purchases.csv", ORDERS))
    )
    with zipfile.ZipFile(raw / "images.zip") as archive:
        assert archive.namelist() == [f"images/{path.name}" for path in sorted(PICTURES.iterdir())]
        assert all(archive.read(f"images/{path.name}") == path.read_bytes() for path in PICTURES.iterdir())
    first = (raw / "images.zip").read_bytes()
    create("again")
    assert Path("data/raw/again/images.zip").read_bytes() == first


def test_without_purchases_the_recommender_half_is_off(project: Path) -> None:
    study = create("boutique", Sources(ITEMS, None, PICTURES)).study
    params = load(study)
    assert all(params[axis] == [] for axis in NEED_PURCHASES)
    assert check.find_problems(study) == []
    _, metrics = prepared(study)
    assert metrics["purchases"] == 0
    assert list(pd.read_parquet("data/prepared/purchases.parquet").columns) == ["user_id", "item_id", "day"]


def test_the_study_keeps_comments_and_keys_of_the_sample(project: Path) -> None:
    study = create("boutique").study
    sample = ROOT / "studies/sample.yaml"
    assert list(load(study)) == list(load(sample))
    assert "# longest side in pixels" in study.read_text()
    assert load(study)["captioners"] == {"tiny-llava": {"family": "llava"}}
    assert load(study)["writer"] == "tiny-llava"


def test_the_sources_are_those_that_a_shop_has(project: Path) -> None:
    """Of the sample's, all but the second description of a garment, which `catalogue_sources` would look for."""
    sources = load(create("boutique").study)["sources"]
    assert sources == [source for source in load(ROOT / "studies/sample.yaml")["sources"] if source != "second"]
    assert {"reference", "table", "pt", "ft"} <= set(sources)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Boutique"}, r"--name Boutique: must be lower-case letters"),
        ({"name": "hm"}, r"--name hm: .* none of: sample, hm, facad"),
        ({"images": Path("data/models/tiny-stanza")}, r"--images .*: no pictures in it"),
        ({"description": "text"}, r"--column description=text: no such column.*catalogue\.csv has: sku, title"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_argument_is_named_and_nothing_is_written(project: Path, change: dict[str, Any], message: str) -> None:
    sources = Sources(ITEMS, ORDERS, change.pop("images", PICTURES))
    with pytest.raises(UserError, match=f"(?s){message}"):
        create(change.pop("name", "boutique"), sources, **change)
    assert not (project / "studies").exists()
    assert not list((project / "data").glob("raw/*"))


def test_a_name_is_taken_once(project: Path) -> None:
    create("boutique")
    with pytest.raises(UserError, match=r"data/raw/boutique: exists already; .* anew with --replace"):
        create("boutique")


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    ("moved", "name"),
    [
        (ITEMS, "items.csv"),
        (ORDERS, "purchases.csv"),
        (PICTURES, "pictures"),
        (Path("elsewhere"), "shop"),
        (Path("elsewhere/notes.csv"), "notes.csv"),
    ],
)
def test_files_in_the_folder_that_is_replaced_are_kept(project: Path, moved: Path, name: str, again: bool) -> None:
    """Whether a source is named there or is a link to there; no message leads to their loss."""
    Path("elsewhere/notes.csv").write_text("a,b\n1,2\n")
    Path("data/raw/boutique").mkdir(parents=True)
    moved.rename(Path("data/raw/boutique", name))
    moved.symlink_to((project / "data/raw/boutique" / name), target_is_directory=True)
    sources = Sources(ITEMS, ORDERS, PICTURES, (Path("elsewhere/notes.csv"),))
    with pytest.raises(UserError, match="lies in data/raw/boutique, which would be replaced") as refused:
        plan_study("boutique", sources, {}, [], again)
    assert "--replace" not in str(refused.value)


@pytest.mark.parametrize("name", ["supplier_prices.csv", "images"])
def test_what_others_put_there_is_no_part_of_the_data_and_is_kept(project: Path, name: str) -> None:
    folder = create("boutique").folder
    (folder / ".gitignore").write_text("/items.csv\n")  # as DVC writes
    plan_study("boutique", Sources(ITEMS, ORDERS, PICTURES), {}, [], again=True)
    (folder / name).mkdir()
    with pytest.raises(UserError, match=rf"data/raw/boutique: holds {name}, which --replace would delete; move it"):
        plan_study("boutique", Sources(ITEMS, ORDERS, PICTURES), {}, [], again=True)


def test_pictures_below_a_named_folder_are_kept(project: Path) -> None:
    PICTURES.rename("data/raw-pictures")
    create("boutique", Sources(ITEMS, ORDERS, Path("data/raw-pictures")))
    Path("data/raw-pictures").rename("data/raw/boutique/pictures")
    with pytest.raises(UserError, match=r"data/raw/boutique/pictures/.*: lies in data/raw/boutique, which would be"):
        plan_study("boutique", Sources(ITEMS, ORDERS, Path("data/raw")), {}, [], again=True)


def test_data_is_written_anew_and_the_rest_of_the_study_kept(project: Path) -> None:
    study = create("boutique").study
    text = study.read_text()
    study.write_text(text.replace("epochs: 4", "epochs: 7").replace("images: first", "images: all"))
    ITEMS.write_text(ITEMS.read_text().replace("title", "text", 1))
    write_plan(plan_study("boutique", FILES, {}, [], again=True), ("another", "llava"), "cuda")
    params = load(study)
    assert params["epochs"] == 7
    assert params["writer"] == "tiny-llava"
    assert params["catalogue_prepare"]["columns"]["description"] == "text"
    assert params["catalogue_prepare"]["images"] == "all"
    write_plan(plan_study("boutique", FILES, {}, [], again=True, views="first"), TINY, "cpu")
    assert load(study)["catalogue_prepare"]["images"] == "first"


def test_items_of_rare_categories_are_counted_before_anything_runs(project: Path) -> None:
    """As many as `catalogue_prepare` leaves out."""
    plan = create("boutique")
    notes = [note for note in plan.notes if "min_items_per_type" in note]
    _, counts = prepared(plan.study)
    left_out = counts["with_image"] - counts["frequent_type"]
    assert left_out
    assert [note.partition(" items")[0] for note in notes] == [f"{left_out} of {counts['with_image']}"]
    lower = plan.study.read_text().replace("min_items_per_type: 7", "min_items_per_type: 1")
    plan.study.write_text(lower)
    assert not any("min_items" in note for note in plan_study("boutique", FILES, {}, [], again=True).notes)


def test_all_that_is_missing_is_said_at_once_with_a_command_that_works(tmp_path: Path) -> None:
    write_rows(tmp_path / "goods.csv", ["ref", "words"], [["1", "a dress"], ["2", "a shirt"]])
    write_rows(tmp_path / "orders.csv", ["who", "what", "when"], [["x", "1", "2024-03-11"], ["x", "2", "2024-03-12"]])
    sources = Sources(tmp_path / "goods.csv", tmp_path / "orders.csv", tmp_path)
    with pytest.raises(UserError) as refusal:
        choose_all_columns(sources, {}, ["lookbook", "init", "my shop"])
    lines = str(refusal.value).splitlines()
    assert lines[0] == "which column is the item's id, the description?"
    assert lines[2] == "which column is the customer, the item that was bought, the day?"
    command = lines[-1].removeprefix("name them, for example: ")
    named = dict(word.split("=") for word in shlex.split(command) if "=" in word)
    assert shlex.split(command)[:3] == ["lookbook", "init", "my shop"]
    items, purchases = choose_all_columns(sources, named | {"purchased": "what"}, [])
    assert items.choice.columns["description"] == "words"
    assert purchases
    assert purchases.choice.columns == {"user": "who", "purchased": "what", "day": "when"}


def test_an_export_is_written_as_the_reader_wants_it(project: Path) -> None:
    write_shopify(Path("shop"))
    sources = Sources(Path("shop/products_export.csv"), Path("shop/orders_export.csv"), Path("shop"))
    plan = create("linen", sources)
    assert sorted(plan.writes) == ["items.csv", "purchases.csv"]
    assert plan.columns.model_dump() == {
        **{"item": "item_id", "description": "description", "category": "category", "product": "", "colour": "colour"},
        **{"image": "image", "user": "user_id", "purchased": "item_id", "day": "date"},
    }
    assert "@" not in Path("data/raw/linen/purchases.csv").read_text()


def test_a_picture_that_the_reader_would_not_find_is_named_in_the_table(project: Path) -> None:
    write_rows(Path("shop/goods.csv"), ["ID", "Title"], [[f"LINEN-{n:02}", f"a dress {n}"] for n in range(12)])
    write_pictures(Path("shop"))
    plan = create("linen", Sources(Path("shop/goods.csv"), None, Path("shop")))
    assert plan.columns.image == "image"
    assert pd.read_csv("data/raw/linen/items.csv")["image"].tolist() == [f"linen-{n:02}.jpg" for n in range(12)]


def test_each_column_is_shown_with_three_values_and_what_is_left_out_is_named(project: Path) -> None:
    text = "\n".join(describe(plan_study("boutique", FILES, {"category": "type"}, [])))
    assert "  description  title  guessed: " in text
    assert "  category     type   named: " in text
    assert "  colour       no such column" in text
    row = next(line for line in text.splitlines() if line.startswith("  item "))
    assert row.count("SKU-") == 3


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Shop (2024)", "my-shop-2024"), ("boutique_1", "boutique_1"), ("--x", "x"), ("Ünder", "nder")],
)
def test_a_folder_names_its_data_set(folder: str, name: str) -> None:
    assert make_name(Path(folder)) == name


def test_dvc_sees_every_byte_of_it(project: Path) -> None:
    """DVC's fingerprint of the folder changes with each table and with the pictures."""
    create("boutique")
    subprocess.run(["git", "init", "--quiet"], check=True)
    Repo.init().close()

    def digest() -> str:
        with Repo() as repo:
            repo.add("data/raw/boutique", no_commit=True)
        tracked = YAML(typ="safe").load(Path("data/raw/boutique.dvc"))["outs"][0]
        assert tracked["nfiles"] == 3
        return tracked["md5"]

    seen = {digest()}
    for path in (ITEMS, ORDERS, Path("data/raw/boutique/images.zip")):
        path.write_bytes(path.read_bytes() + b"\n")
        seen.add(digest())
    assert len(seen) == 4
