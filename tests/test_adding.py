"""Add one of each kind by the files and lines that CONTRIBUTING.md names, and use it in a copy of the project.

tests/helpers/additions.py has the new files.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from features.files import write_features
from tests.helpers.additions import (
    CONTENT_RECOMMENDER,
    CONTENT_SCORE,
    EXTRACTOR,
    FAMILY,
    IMAGE_EXTRACTOR,
    READER,
    RECOMMENDER,
    SCORE,
)
from tests.helpers.raw_data import write_hm_zip, write_sample
from tests.helpers.repository import PACKAGES, ROOT
from tests.helpers.scored_study import write_classifier, write_study

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the code, dvc.yaml and the parameters, and link the models."""
    folder = tmp_path / "project"
    for name in (*PACKAGES, "studies"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    (folder / "data/models").mkdir(parents=True)
    for model in (ROOT / "data/models").iterdir():
        (folder / "data/models" / model.name).symlink_to(model)
    return folder


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the raw data of a small shop."""
    return write_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def prepared(project: Path, sample: Path) -> Path:
    """Prepare the small shop in the project, with captions of every item by its writer."""
    shutil.copytree(sample, project / "data/raw/sample")
    run(project, "catalogue.prepare")
    items = pd.read_parquet(project / "data/prepared/items.parquet")
    (project / "data/captions").mkdir()
    writer = YAML(typ="safe").load(project / "params.yaml")["writer"]
    for variant in ("pt", "ft"):
        captions = pd.DataFrame({"item_id": items["item_id"], "caption": f"{variant} of " + items["item_id"]})
        captions.to_parquet(project / f"data/captions/{writer}-{variant}.parquet")
    return project


def run(
    project: Path, module: str, *words: object, check: bool = True, study: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a module of the copied project, in `study` if given; with `check`, fail the test where it fails."""
    command = [sys.executable, "-m", module, *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    ended = subprocess.run(command, cwd=study or project, env=environment, capture_output=True, text=True)
    assert not check or ended.returncode == 0, ended.stdout + ended.stderr
    return ended


def lookbook(project: Path, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command of `lookbook` in the copied project."""
    return run(project, "lookbook.cli.main", *words, check=check)


def write(project: Path, name: str, text: str) -> None:
    """Write a new file of code."""
    assert not (project / name).exists()
    (project / name).write_text(text.lstrip(), encoding="utf-8")


def insert(project: Path, name: str, anchor: str, addition: str) -> None:
    """Insert text after an anchor that the file holds once."""
    text = (project / name).read_text(encoding="utf-8")
    assert text.count(anchor) == 1, (name, anchor)
    (project / name).write_text(text.replace(anchor, anchor + addition), encoding="utf-8")


def change_params(project: Path, change: Callable[[Any], None]) -> None:
    """Change params.yaml, and studies/sample.yaml, which equals it."""
    yaml = YAML()
    params = yaml.load(project / "params.yaml")
    change(params)
    for name in ("params.yaml", "studies/sample.yaml"):
        yaml.dump(params, project / name)


def copy_settings(section: Any, source: str) -> None:
    """Give `mine` the keys of another file of its kind, where the section of params.yaml has keys for each file."""
    if isinstance(section.get(source), dict):
        section["mine"] = deepcopy(section[source])


def recommend(project: Path, purchases: str, *options: object) -> list[str]:
    """Return what the recommender `mine` lists for the user u; a purchase is a letter of the user, and of the item."""
    (project / "train.tsv").write_text("".join(f"{user}\t{item}\t1\n" for user, item in purchases.split()))
    lookbook(project, "recommend", "--train", "train.tsv", "--model", "mine", "--out", "lists.tsv", *options)
    lists = pd.read_csv(project / "lists.tsv", sep="\t", header=None, names=["user", "item", "score"])
    return lists.loc[lists["user"] == "u", "item"].tolist()


def list_cells(project: Path) -> set[str]:
    """List the cells of dvc.yaml with the parameters of the project."""
    from dvc.repo import Repo

    with Repo.init(str(project), no_scm=True, force=True) as repo:
        return {stage.addressing.rpartition(":")[2] for stage in repo.index.stages}  # FOLDER/dvc.yaml:CELL


def test_a_captioner_family_is_one_file(project: Path) -> None:
    (project / "data/models/mine").symlink_to(ROOT / "data/models/tiny-llava")
    change_params(project, lambda params: params["captioners"].update(mine={"family": "mine"}))
    assert "captioners.mine.family: 'mine' is no known family" in lookbook(project, "check", check=False).stderr
    write(project, "captioning/families/mine.py", FAMILY)
    assert "4 captioners" in lookbook(project, "check").stdout
    Image.new("RGB", (64, 64), "red").save(project / "picture.png")
    usual, own = (
        lookbook(project, "caption", "picture.png", "--captioner", name).stdout for name in ("tiny-llava", "mine")
    )
    assert own == usual.replace(usual.split("\t")[1], usual.split("\t")[1].upper())
    assert own != usual
    cells = ("caption_train@mine", "caption_generate_pt@mine", "caption_generate_ft@mine")
    assert list_cells(project).issuperset(cells)


def test_a_score_is_one_file_and_a_line_of_the_table_of_scores(project: Path) -> None:
    write(project, "captioning/scores/mine.py", SCORE)
    name = "captioning/scores/reference_based.py"
    insert(project, name, "from captioning.scores import ", "mine, ")
    insert(project, name, "MEAN_SCORES: dict[str, MeanScore] = {", '"mine": mine, ')
    (project / "captions.csv").write_text('id,caption,references\n1,a red dress,"a dress"\n2,a cap,"a cap"\n')
    ended = lookbook(project, "score", "captions.csv", "--metrics", "mine", "--json", "scores.json")
    assert "WORD-OVERLAP" in ended.stdout
    assert pd.read_json(project / "scores.json", typ="series")["word_overlap"] == pytest.approx((2 / 3 + 1) / 2)
    other = (project / "captions.csv").read_text().replace("a red dress", "a dress")
    (project / "other.csv").write_text(other)
    assert "WORD-OVERLAP" in lookbook(project, "compare", "captions.csv", "other.csv", "--metrics", "mine").stdout


def test_a_content_based_score_is_one_file_and_a_line_of_the_table_of_scores(project: Path, tmp_path: Path) -> None:
    write(project, "captioning/scores/mine.py", CONTENT_SCORE)
    name = "captioning/scores/content_based.py"
    insert(project, name, "from captioning.scores import ContentScore, Garments, ", "mine, ")
    insert(project, name, "SCORES: tuple[ContentScore, ...] = (", "mine, ")
    study = tmp_path / "study"
    study.mkdir()
    write_study(study, "skip")
    write_classifier(study / "data/classifier")
    run(project, "captioning.score", study=study)
    metrics = json.loads((study / "metrics/captions.json").read_text())
    assert metrics["one"]["pt"]["words"] == 6  # a photo of a red dress
    assert metrics["two"]["pt"]["words"] == 6
    assert [line for line in metrics["skipped"] if "words" in line and "two" in line and "empty" in line]
    table = pd.read_parquet(study / "data/scores/captions.parquet")
    words = table[table["metric"].eq("words") & table["captioner"].eq("two") & table["variant"].eq("pt")]["value"]
    assert sorted(words.dropna()) == [6] * 11


def test_a_recommender_is_one_file_and_its_name(project: Path) -> None:
    def add(params: Any) -> None:
        params["recommenders"].append("mine")
        copy_settings(params["rec_fit"], "mostpop")
        params["rec_tune"]["mine"] = {}

    change_params(project, add)
    assert "recommenders.5: 'mine' is no known recommender" in lookbook(project, "check", check=False).stderr
    write(project, "recsys/recommenders/mine.py", RECOMMENDER)
    assert "6 recommenders" in lookbook(project, "check").stdout
    assert recommend(project, "ua va vb wa wb wc wd", "--top", 3) == ["c", "d", "b"]
    assert list_cells(project).issuperset(("rec_fit@original-mine", "rec_fit@all-mine"))


def test_a_recommender_with_features_is_one_file_and_its_name(project: Path) -> None:
    def add(params: Any) -> None:
        params["content_recommenders"].append("mine")
        params["warm_content_recommenders"].append("mine")
        params["rec_fit"]["mine"] = {}
        params["rec_tune"]["mine"] = {}

    change_params(project, add)
    assert "'mine' is no known recommender" in lookbook(project, "check", check=False).stderr
    write(project, "recsys/recommenders/mine.py", CONTENT_RECOMMENDER)
    assert "4 content recommenders" in lookbook(project, "check").stdout
    write_features(project / "features", ["a", "b", "c", "d"], np.array([[1, 0], [0.9, 0.1], [0.8, 0.3], [0, 1.0]]))
    assert recommend(project, "ua va vb wb wc wd", "--features", "features", "--top", 2) == ["d", "c"]
    cells = {"rec_fit_text@augmented-mine-sbert", "rec_fit_image@original-mine-resnet50"}
    cells |= {f"rec_{verb}_arrivals_text@mine-sbert" for verb in ("tune", "fit", "rank")}
    assert list_cells(project) >= cells


def test_recommenders_without_cells_are_a_name_each(project: Path) -> None:
    """Those that have sections alone in the sample: every stage of a recommender takes them."""

    def add(params: Any) -> None:
        params["recommenders"].append("lightgcn")
        params["content_recommenders"].append("bm3")
        params["warm_content_recommenders"].append("bm3")

    change_params(project, add)
    assert "6 recommenders, 4 content recommenders" in lookbook(project, "check").stdout
    tuned = {"rec_tune@lightgcn", "rec_tune_text@bm3-sbert", "rec_tune_arrivals_image@bm3-resnet50"}
    fits = {"rec_fit@all-lightgcn", "rec_fit_text@augmented-bm3-sbert", "rec_fit_image@original-bm3-resnet50"}
    arrivals = {f"rec_{verb}_arrivals_text@bm3-sbert" for verb in ("tune", "fit", "rank")}
    assert list_cells(project) >= tuned | fits | arrivals | {"rec_fit_text@masked-ft-bm3-sbert"}


def test_an_extractor_is_one_file_and_its_name(prepared: Path) -> None:
    def add(params: Any) -> None:
        params["text_features"].append("mine")
        params["texts"] = ["original", "unfilled"]
        copy_settings(params["rec_features"], "sbert")

    change_params(prepared, add)
    assert "'mine' is no known text feature" in lookbook(prepared, "check", check=False).stderr
    write(prepared, "recsys/extractors/mine.py", EXTRACTOR)
    assert "2 text features" in lookbook(prepared, "check").stdout
    run(prepared, "catalogue.texts")
    for extractor in ("sbert", "mine"):
        run(prepared, "recsys.features", "--extractor", extractor)
    usual, own = (np.load(prepared / f"data/features/text/unfilled/{name}/features.npy") for name in ("sbert", "mine"))
    np.testing.assert_array_equal(own, -usual)
    assert len(own) > 100
    assert list_cells(prepared).issuperset(("rec_features_text@mine", "rec_fit_arrivals_text@vbpr-mine"))


def test_an_image_extractor_is_one_file_its_name_and_a_word_of_dvc_yaml(prepared: Path) -> None:
    def add(params: Any) -> None:
        params["image_features"].append("mine")
        copy_settings(params["rec_features"], "resnet50")

    change_params(prepared, add)
    assert "'mine' is no known image feature" in lookbook(prepared, "check", check=False).stderr
    write(prepared, "recsys/extractors/mine.py", IMAGE_EXTRACTOR)
    insert(prepared, "dvc.yaml", "matrix: {extractor: [resnet50", ", mine")
    assert "3 image features" in lookbook(prepared, "check").stdout
    for extractor in ("resnet50", "mine"):
        run(prepared, "recsys.features", "--extractor", extractor)
    usual, own = (np.load(prepared / f"data/features/image/{name}/features.npy") for name in ("resnet50", "mine"))
    np.testing.assert_array_equal(own, -usual)
    assert len(own) > 100
    assert list_cells(prepared).issuperset(("rec_features_image@mine", "rec_fit_arrivals_image@vbpr-mine"))


def test_a_data_set_is_one_file_and_its_name(project: Path, sample: Path) -> None:
    write_hm_zip(sample, project / "data/raw/mine/kaggle")
    change_params(project, lambda params: params.update(dataset="mine"))
    assert run(project, "catalogue.prepare", check=False).returncode == 1
    write(project, "catalogue/readers/mine.py", READER)
    insert(project, "catalogue/readers/__init__.py", "READERS = {", '"mine": "mine", ')
    assert lookbook(project, "check").stdout.startswith("params.yaml: ok; mine, ")
    run(project, "catalogue.prepare")
    items = pd.read_parquet(project / "data/prepared/items.parquet")
    assert len(items) > 100
    assert items["description"].str.len().max() > 10
    assert lookbook(project, "doctor", check=False).stdout.count("data: data/raw/mine: 150 articles") == 1


def test_a_text_is_its_lines_in_the_table_of_texts_and_a_line_of_dvc_yaml(prepared: Path) -> None:
    """Fill missing descriptions with captions of the pre-trained captioner, as an experiment."""
    change_params(prepared, lambda params: params["texts"].append("filled-pt"))
    assert "texts.8: 'filled-pt' is no" in lookbook(prepared, "check", check=False).stderr
    name = "catalogue/descriptions/variants.py"
    insert(prepared, name, '"original", "augmented"', ', "filled-pt"')
    insert(prepared, name, '"augmented": "all"', ', "filled-pt": "all"')
    insert(prepared, name, '"augmented": "ft"', ', "filled-pt": "pt"')
    out = "    - data/features/text/{}/${{item.extractor}}\n"
    insert(prepared, "dvc.yaml", out.format("augmented"), out.format("filled-pt"))
    assert "9 texts" in lookbook(prepared, "check").stdout
    run(prepared, "catalogue.texts")
    items = pd.read_parquet(prepared / "data/prepared/items.parquet").set_index("item_id")
    text = pd.read_parquet(prepared / "data/texts/filled-pt.parquet").set_index("item_id")
    missing = items.index[items["description"].isna()]
    assert len(missing)
    assert text.loc[missing, "text"].tolist() == [f"pt of {item}" for item in missing]
    assert set(text["source"]) == {"own", "pt"}
    run(prepared, "recsys.features", "--extractor", "sbert")
    assert (prepared / "data/features/text/filled-pt/sbert/features.npy").is_file()
    assert "rec_fit_text@filled-pt-vbpr-sbert" in list_cells(prepared)
