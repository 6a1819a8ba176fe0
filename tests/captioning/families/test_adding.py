"""A new family is one file, and a captioner of it one line: `dvc status` finds no result of other captioners stale."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.helpers.finished_study import list_cells, read_status, write_finished_study

CELLS = [f"{stage}@tiny-llava" for stage in ("caption_train", "caption_generate_pt", "caption_generate_ft")]
COPIED = ["pipeline", "catalogue", "captioning", "data/models/tiny-llava"]


@pytest.mark.slow
def test_a_new_family_leaves_the_others_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_finished_study(tmp_path, COPIED, CELLS, monkeypatch)
    assert read_status(CELLS) == {}
    shutil.copy("captioning/families/llava.py", "captioning/families/mine.py")
    shutil.copytree("data/models/tiny-llava", "data/models/mine")
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["captioners"]["mine"] = {"family": "mine"}
    yaml.dump(params, Path("params.yaml"))
    assert "caption_train@mine" in list_cells()
    assert read_status(CELLS) == {}
    with open("captioning/families/llava.py", "a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert set(read_status(CELLS)) == set(CELLS)
