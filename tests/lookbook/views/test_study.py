"""What a study has, and what is missing: by stage of dvc.yaml, and by page."""

import hashlib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lookbook.views.study import ITEMS, SCORES, STAGES, Study, list_missing, list_stages, open_study, require_stage
from pipeline.core.errors import UserError
from tests.helpers.repository import ROOT


def write_line(folder: Path, **lock: object) -> Study:
    (folder / "dvc.yaml").write_text(
        "stages:\n"
        "  train:\n    foreach: ${captioners}\n    do: {cmd: x, outs: ['data/${key}.txt']}\n"
        "  fit:\n    matrix: {arm: '${arms}', name: [a, b]}\n    cmd: x\n    outs: ['data/${item.arm}-${item.name}']\n"
        "  end: {cmd: x, metrics: [{data/end.json: {cache: false}}], outs: ['data/${writer}']}\n"
    )
    (folder / "params.yaml").write_text("writer: one\ncaptioners: {one: {}, two: {}}\narms: [p, q]\n")
    with open(folder / "dvc.lock", "w", encoding="utf-8") as file:
        YAML().dump({"stages": {"end": {"outs": [lock]}}} if lock else {"stages": {}}, file)
    (folder / "data").mkdir(exist_ok=True)
    return open_study(folder)


def test_cells_of_foreach_and_matrix_are_counted_by_their_outputs(tmp_path: Path) -> None:
    study = write_line(tmp_path)
    for name in ("one.txt", "p-a", "p-b", "q-a", "q-b"):
        (tmp_path / "data" / name).write_text("made")
    states = {stage.name: (stage.cells, stage.done, stage.state) for stage in list_stages(study)}
    assert states == {"train": (2, 1, "part"), "fit": (4, 4, "done"), "end": (1, 0, "missing")}


def test_an_output_of_other_content_than_dvc_lock_says_is_not_committed(tmp_path: Path) -> None:
    same = hashlib.md5(b"made").hexdigest()
    study = write_line(tmp_path, path="data/end.json", md5=same, size=4)
    (tmp_path / "data/end.json").write_text("made")
    (tmp_path / "data/one").write_text("made")
    assert list_stages(study)[2].state == "done"
    (tmp_path / "data/end.json").write_text("mode")
    assert list_stages(study)[2].state == "not committed"
    assert list_stages(study)[2].stale == ["data/end.json"]


def test_a_folder_that_dvc_lock_has_without_a_file_is_not_missing(tmp_path: Path) -> None:
    """Such as the adapters of epochs of a study that keeps none: DVC makes no empty folder again."""
    study = write_line(tmp_path, path="data/one", md5="d751713988987e9331980363e24189ce.dir", size=0, nfiles=0)
    (tmp_path / "data/end.json").write_text("made")
    assert list_stages(study)[2].state == "done"


def test_every_file_that_a_page_needs_is_an_output_of_the_stage_that_is_named() -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    for path, stage in STAGES.items():
        body = stages[stage].get("do", stages[stage])
        outputs = [
            next(iter(one)) if isinstance(one, dict) else one
            for kind in ("outs", "plots")
            for one in body.get(kind, [])
        ]
        assert any(
            one == path.as_posix() or one.startswith(f"{path.as_posix()}/") or path.is_relative_to(one)
            for one in outputs
        ), path


def test_a_missing_file_names_its_stage(viewed: Study, tmp_path: Path) -> None:
    assert list_missing(viewed, (ITEMS, SCORES)) == []
    (tmp_path / "params.yaml").write_text("captioners: {}\n")
    empty = open_study(tmp_path)
    assert list_missing(empty, (ITEMS,)) == [("data/prepared/items.parquet", "catalogue_prepare")]
    with pytest.raises(UserError, match="dvc repro caption_score"):
        require_stage(empty, SCORES)


def test_captions_that_are_not_there_name_the_cell(viewed: Study, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("captioners: {one: {}}\n")
    assert "caption_generate_ft@one" in open_study(tmp_path).list_untrained()[1]
    assert viewed.list_untrained() == []
    assert len(viewed.list_sets()) == 4
