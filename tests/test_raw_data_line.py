"""Run small raw data in each published format through real DVC to the report. Minutes each: .ci/full runs it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from lookbook.workspace.new import NEED_PURCHASES
from tests.helpers import shop_exports
from tests.helpers.full import full
from tests.helpers.raw_data import write_facad, write_facad_raw, write_hm_folder, write_hm_zip, write_sample, write_shop
from tests.helpers.repository import dvc, list_run

ROOT = Path(__file__).parents[1]
CAPTIONERS = {"tiny-llava": {"family": "llava"}}
SMALL: dict[str, Any] = {
    **{"epochs": 1, "captioners": CAPTIONERS, "writer": "tiny-llava"},
    **{"recommenders": ["mostpop", "itemknn"], "content_recommenders": ["vbpr"]},
    **{"image_features": ["resnet50"], "text_features": ["sbert"], "arrival_features": ["sbert", "resnet50"]},
    **{"warm_content_recommenders": ["vbpr"], "warm_image_features": ["resnet50"], "warm_text_features": ["sbert"]},
    "caption_score": {"spice": "skip"},
    "catalogue_prepare": {"min_items_per_type": 2},
    "caption_attributes": {"min_count": 2},
    "compare": {"draws": 100},
    "rec_fit": {"seeds": 2},
}
SOURCES = ["reference", "none", "table", "nearest", "shuffled", "replaced-50", "pt", "ft"]  # no second description
NO_PURCHASES: dict[str, list[str]] = {key: [] for key in NEED_PURCHASES}
CELLS = {"caption_train@tiny-llava", "caption_generate_pt@tiny-llava", "caption_score", "compare", "report"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    full,
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample"), articles=240, customers=60, purchases=1500)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the project's working files to a repository of their own, in which nothing has run."""
    folder = tmp_path / "project"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        is_made = name == "dvc.lock" or (name.startswith("metrics/") and not name.endswith(".gitkeep"))
        if (ROOT / name).is_file() and not is_made:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for words in (["init", "--quiet"], ["add", "-A"], ["commit", "--quiet", "-m", "As it is"]):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@localhost", *words], cwd=folder, check=True)
    return folder


def set_params(study: Path, target: Path, **changes: Any) -> None:
    """Write a parameter file with small settings, for any data set."""
    params = YAML(typ="safe").load(study)
    for part in (SMALL, changes):
        for key, value in part.items():
            inner = isinstance(value, dict) and key != "captioners"
            params[key] = params[key] | value if inner else value
    with open(target, "w", encoding="utf-8") as file:
        YAML().dump(params, file)


def run_to_report(project: Path, target: str = "report") -> tuple[set[str], dict[str, Any]]:
    """Run every stage up to the target; return which ran, and the counts of the catalogue."""
    result = dvc(project, "repro", target)
    assert (project / "reports/index.html").stat().st_size > 10_000
    assert "up to date" in dvc(project, "repro", target).stdout
    return list_run(result), json.loads((project / "metrics/catalogue.json").read_text())


@pytest.mark.parametrize("write", [write_hm_zip, write_hm_folder], ids=["zip", "a link to a folder"])
def test_hm_reaches_its_report(project: Path, sample: Path, write: Callable[[Path, Path], None]) -> None:
    raw = project / "data/raw/hm"
    if write is write_hm_folder:
        raw.parent.mkdir(parents=True, exist_ok=True)
        raw.symlink_to(project.parent / "kaggle")
        write(sample, project.parent / "kaggle")
    else:
        write(sample, raw)
    set_params(
        ROOT / "studies/sample.yaml",
        project / "params.yaml",
        dataset="hm",
        sources=SOURCES,
        catalogue_prepare={"split": "random", "min_items_per_type": 2},
    )
    stages, counts = run_to_report(project)
    assert CELLS | {"rec_fit@all-itemknn", "rec_fit_text@augmented-vbpr-sbert"} <= stages
    assert counts["articles"] == 240
    assert counts["purchases_read"] == 1500
    assert counts["split"] == counts["split_by_policy"]["random"]
    assert list((project / "reports/tables").glob("published*"))
    if raw.is_symlink():  # DVC looks behind the link
        table = raw / "articles.csv"
        table.write_text(table.read_text().replace("Solid", "Plain"))
        assert "catalogue_prepare" in dvc(project, "status", "catalogue_prepare").stdout


@pytest.mark.parametrize(
    ("write", "edition", "split"),
    [(write_facad, "first_99946", "published"), (write_facad_raw, "raw", "grouped")],
    ids=["hdf5", "raw"],
)
def test_facad_reaches_its_report_without_purchases(
    project: Path, sample: Path, write: Callable[[Path, Path], None], edition: str, split: str
) -> None:
    write(sample, project / "data/raw/facad")
    prepare = {"facad_test": edition, "split": split, "min_items_per_type": 1}
    set_params(
        ROOT / "studies/sample.yaml",
        project / "params.yaml",
        dataset="facad",
        catalogue_prepare=prepare,
        **NO_PURCHASES,
    )
    stages, counts = run_to_report(project)
    assert stages >= CELLS
    assert not {stage for stage in stages if "features" in stage or stage.startswith("rec_fit")}
    assert counts["attributes"] > 3
    assert json.loads((project / "data/attributes/vocabulary.json").read_text())
    notes = [path.read_text() for path in (project / "reports/tables").glob("*.md")]
    assert len(notes) >= 3
    assert all(("Unverified: the" in note) == (edition == "first_99946") for note in notes)


@pytest.mark.parametrize("purchases", [True, False], ids=["with purchases", "without"])
def test_a_shop_of_ones_own_reaches_its_report(project: Path, sample: Path, purchases: bool) -> None:
    shop = project.parent / "shop"
    write_shop(sample, shop, purchases)
    words = ["--name", "boutique", "--items", str(shop / "catalogue.csv"), "--images", str(shop / "pictures")]
    words += ["--column", "description=title", "--captioner", "tiny-llava", "--family", "llava"]
    words += ["--purchases", str(shop / "orders.csv")] if purchases else []
    init_study(project, *words)
    axes = {} if purchases else NO_PURCHASES
    set_params(project / "studies/boutique.yaml", project / "params.yaml", **axes)
    stages, counts = run_to_report(project)
    assert stages >= CELLS
    assert ("rec_fit@all-itemknn" in stages) == purchases
    assert (counts["purchases"] > 0) == purchases
    captions = pd.read_parquet(project / "data/captions/tiny-llava-ft.parquet")
    assert captions["item_id"].str.startswith("SKU-").all()


@pytest.mark.parametrize("program", shop_exports.WRITERS)
def test_an_export_of_a_shop_program_reaches_its_report(
    project: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The examples of docs/data.md, of a shop with more garments."""
    monkeypatch.setattr(shop_exports, "GARMENTS", shop_exports.MANY_GARMENTS)
    monkeypatch.setattr(shop_exports, "BOUGHT", shop_exports.MANY_BOUGHT)
    shop_exports.WRITERS[program](project.parent / program)
    init_study(project, str(project.parent / program), "--captioner", "tiny-llava", "--family", "llava")
    set_params(project / f"studies/{program}.yaml", project / "params.yaml")
    stages, counts = run_to_report(project)
    assert CELLS | {"rec_fit@all-itemknn", "rec_rank_arrivals_text@vbpr-sbert"} <= stages
    assert counts["purchases_read"] > 600


def init_study(project: Path, *words: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "lookbook.cli.main", "init", *words], cwd=project, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_without_raw_data_dvc_names_the_folder(project: Path) -> None:
    shutil.copy(ROOT / "studies/thesis-hm.yaml", project / "params.yaml")
    result = dvc(project, "repro", "catalogue_prepare", check=False)
    assert result.returncode != 0
    assert "data/raw/hm" in result.stderr
