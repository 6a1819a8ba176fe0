"""A new recommender is one file and its name: what other recommenders made stays current, as `dvc status` sees it."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.helpers.finished_study import list_cells, read_status, write_finished_study

PLAIN = [f"rec_fit@all-{name}" for name in ("random", "mostpop", "userknn", "itemknn", "bpr")]
CELLS = [*PLAIN, "rec_fit_image@all-resnet50", "rec_fit_text@augmented-sbert"]


@pytest.mark.slow
def test_a_new_recommender_leaves_the_others_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_finished_study(tmp_path, ["pipeline", "catalogue", "recsys"], CELLS, monkeypatch)
    assert read_status(CELLS) == {}
    shutil.copy("recsys/recommenders/mostpop.py", "recsys/recommenders/mine.py")
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["recommenders"].append("mine")
    yaml.dump(params, Path("params.yaml"))
    assert {"rec_fit@original-mine", "rec_fit@all-mine"} <= set(list_cells())
    assert read_status(CELLS) == {}
    with open("recsys/recommenders/mostpop.py", "a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert set(read_status(CELLS)) == {"rec_fit@all-mostpop"}
