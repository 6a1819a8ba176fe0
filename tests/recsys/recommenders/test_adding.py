"""A new recommender is one file, its name and its section; a changed key makes the cells that read it stale alone.

All as `dvc status` sees it.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.helpers.finished_study import list_cells, read_status, write_finished_study

PLAIN = [f"rec_fit@all-{name}" for name in ("random", "mostpop", "userknn", "itemknn", "bpr")]
VBPR = ["rec_fit_image@all-vbpr-resnet50", "rec_fit_text@augmented-vbpr-sbert"]
FEATURES = ["rec_features_image@resnet50", "rec_features_text@sbert"]


def change(edit: Callable[[Any], None]) -> None:
    """Edits params.yaml as `dvc exp run -S` does: comments stay."""
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    edit(params)
    yaml.dump(params, Path("params.yaml"))


@pytest.mark.slow
def test_a_new_recommender_leaves_the_others_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [*PLAIN, *VBPR]
    write_finished_study(tmp_path, ["pipeline", "catalogue", "recsys"], cells, monkeypatch)
    assert read_status(cells) == {}
    shutil.copy("recsys/recommenders/mostpop.py", "recsys/recommenders/mine.py")

    def add(params: Any) -> None:
        params["recommenders"].append("mine")
        params["rec_fit"]["mine"] = {"half_life_days": 7.0}
        params["rec_tune"]["mine"] = {}

    change(add)
    assert {"rec_tune@mine", "rec_fit@original-mine", "rec_fit@all-mine"} <= set(list_cells())
    assert read_status(cells) == {}
    with open("recsys/recommenders/mostpop.py", "a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert set(read_status(cells)) == {"rec_fit@all-mostpop"}


@pytest.mark.slow
def test_a_changed_key_makes_the_cells_that_read_it_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [*PLAIN, *VBPR, *FEATURES]
    write_finished_study(tmp_path, ["pipeline", "catalogue", "recsys"], cells, monkeypatch)
    assert read_status(cells) == {}
    shipped = Path("params.yaml").read_text()
    for (section, name, key), stale in {
        ("rec_fit", "itemknn", "k"): ["rec_fit@all-itemknn"],
        ("rec_fit", "mostpop", "half_life_days"): ["rec_fit@all-mostpop"],
        ("rec_fit", "bpr", "epochs"): ["rec_fit@all-bpr"],
        ("rec_fit", "vbpr", "epochs"): VBPR,
        ("rec_tune", "vbpr", "factors"): [],
        ("rec_features", "resnet50", "image_size"): ["rec_features_image@resnet50"],
        ("rec_features", "sbert", "batch_size"): ["rec_features_text@sbert"],
        ("rec_features", "clip", "batch_size"): [],
    }.items():
        change(lambda params, where=(section, name, key): params[where[0]][where[1]].update({where[2]: 50}))
        assert set(read_status(cells)) == set(stale), key
        Path("params.yaml").write_text(shipped)
    change(lambda params: params["rec_fit"].update({"seeds": 2}))
    assert set(read_status(cells)) == {*PLAIN, *VBPR}
    Path("params.yaml").write_text(shipped)
    change(lambda params: params["rec_fit"]["random"].update({"a": 1}))  # an empty section is watched too
    assert set(read_status(cells)) == {"rec_fit@all-random"}
