"""`lookbook init`: it finds a shop's files and columns, shows them, and refuses wrong options."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from catalogue import prepare
from catalogue.prepared.images import ImageStore
from catalogue.prepared.views import average_views, list_views, name_view
from lookbook.cli.main import app
from lookbook.views.pictures import read_picture_id
from tests.helpers.projects import ROOT
from tests.helpers.raw_data import write_sample, write_shop
from tests.helpers.shop_exports import BOUGHT, GARMENTS, WRITERS, write_google

TINY = ["--captioner", "tiny-llava", "--family", "llava"]
DOCS = (ROOT / "docs/data.md").read_text(encoding="utf-8")
LONG = ["--name", "boutique", "--items", "elsewhere/catalogue.csv", "--images", "elsewhere/pictures"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty project the working directory."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/models").symlink_to(ROOT / "data/models")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample"))


def run_init(*words: str) -> str:
    ended = CliRunner().invoke(app, ["init", *words])
    assert ended.exit_code == 0, ended.output
    return ended.stdout


@pytest.mark.slow
def test_the_command_says_which_column_is_what_and_what_comes_next(project: Path, sample: Path) -> None:
    write_shop(sample, Path("elsewhere"))
    words = [sys.executable, "-m", "lookbook.cli.main", "init", *LONG, *TINY]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "  product      style  guessed: " in ended.stdout
    assert "no orders: the study is about captions alone; recommendations are off" in ended.stdout
    assert "next: cp studies/boutique.yaml params.yaml && lookbook doctor && dvc repro report" in ended.stdout


def test_a_folder_is_enough(project: Path, sample: Path) -> None:
    write_shop(sample, Path("My Boutique"))
    shown = run_init("My Boutique", *TINY)
    assert "wrote studies/my-boutique.yaml and data/raw/my-boutique (items.csv linked, purchases.csv linked" in shown
    assert shown.splitlines()[-1].endswith("dvc repro")


def test_a_dry_run_writes_nothing(project: Path, sample: Path) -> None:
    write_shop(sample, Path("shop"))
    shown = run_init("shop", "--dry-run")
    assert "nothing is written (--dry-run)" in shown
    assert "captioner: tiny-blip2-opt, as this machine has no GPU" in shown or "a GPU" in shown
    assert sorted(path.name for path in project.iterdir()) == ["data", "shop"]
    assert [path.name for path in (project / "data").iterdir()] == ["models"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--column", "words=title"], "--column words=title: must be what=NAME with what one of: item, description"),
        (["--column", "description"], "--column description: must be what=NAME"),
        (["--items", "none.csv"], "--items none.csv: no such file"),
        (["--captioner", "tiny-nothing"], "tiny-nothing"),
        (["--captioner", "hub/tiny"], "--captioner: 'hub/tiny' is no name for a captioner"),
        (["--family", "nothing"], "nothing"),
    ],
)
def test_a_wrong_option_is_named(project: Path, sample: Path, words: list[str], message: str) -> None:
    write_shop(sample, Path("elsewhere"))
    ended = CliRunner().invoke(app, ["init", *LONG, *words])
    assert ended.exit_code == 1
    assert message in ended.stderr
    assert not Path("studies").exists()


@pytest.mark.parametrize("program", WRITERS)
def test_an_export_becomes_prepared_data_as_the_docs_show(
    project: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """Run what docs/data.md shows; its output is there word for word."""
    WRITERS[program](Path(program))
    shown = run_init(program, *TINY)
    assert f"$ lookbook init {program}\n{shown.strip()}\n" in DOCS
    params = Path(f"studies/{program}.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(re.sub("min_items_per_type: 7", "min_items_per_type: 1", params), encoding="utf-8")
    prepare.main()
    items = pd.read_parquet("data/prepared/items.parquet")
    assert len(items) == len(GARMENTS)
    assert items["original"].all()
    assert set(items["category"]) == {"Dresses", "Shirts"}
    purchases = pd.read_parquet("data/prepared/purchases.parquet")
    assert len(purchases) == len(BOUGHT)
    assert purchases["user_id"].nunique() == len({user for user, _, _ in BOUGHT})


def test_all_views_of_an_item_count_from_its_folder_to_its_features(project: Path, sample: Path) -> None:
    """Image features of an item are the mean of those of its pictures; the others are as without further ones."""
    write_shop(sample, Path("shop"))
    names = sorted(path.name for path in Path("shop/pictures").iterdir())
    shutil.copy(Path("shop/pictures") / names[1], Path("shop/pictures") / names[0].replace(".png", "-2.png"))
    shown = run_init("shop", "--views", "all", *TINY)
    assert "note: 1 item(s) have several pictures: image features are of all, captions of the first" in shown
    shutil.copy("studies/shop.yaml", "params.yaml")
    prepare.main()
    store = ImageStore("data/prepared/images")
    ids = pd.read_parquet("data/prepared/items.parquet")["item_id"].tolist()
    assert [read_picture_id(Path("data/prepared/images"), row) for row in range(len(ids))] == ids
    first, second = (name.removesuffix(".png") for name in names[:2])
    assert list_views(first, store) == [first, name_view(first, 2)]

    def read_mean(names: Sequence[str]) -> tuple[np.ndarray]:
        return (np.stack([np.asarray(store[name], np.float32).mean(axis=(0, 1)) for name in names]),)

    own, other = read_mean([first, second])[0]
    averaged = average_views([first, second], store, read_mean)[0]
    np.testing.assert_allclose(averaged, [(own + other) / 2, other], atol=1e-4)


def test_pictures_behind_addresses_are_fetched_with_curl(project: Path) -> None:
    write_google(Path("shop"))
    Path("shop/pictures").rename("server")
    Path("shop/pictures").mkdir()
    shutil.copy("server/linen-00.jpg", "shop/pictures/other.jpg")
    ended = CliRunner().invoke(app, ["init", "shop", *TINY])
    assert ended.exit_code == 1
    assert "add --list-urls > pictures.curl to this command, then curl -K pictures.curl" in ended.stderr
    lines = run_init("shop", "--list-urls").splitlines()
    pairs = [(lines[row].split('"')[1], lines[row + 1].split('"')[1]) for row in range(2, len(lines), 2)]
    assert pairs[0] == ("https://shop.example/files/linen-00.jpg", "shop/pictures/LB-00-R.jpg")
    for address, path in pairs:  # as curl does
        shutil.copy(f"server/{address.rpartition('/')[2]}", path)
    shown = run_init("shop", *TINY)
    assert "1 picture(s) are of no item, or further ones: pictures/other.jpg" in shown
    assert "have no picture" not in shown
