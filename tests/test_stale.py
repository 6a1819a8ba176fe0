"""The cells that an edit makes stale: each source file and parameter by a table, some files by `dvc status`."""

from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from catalogue.descriptions.variants import SOURCE_OF
from pipeline.core.record import COSTS
from tests.helpers.finished_study import read_status, write_finished_study
from tests.helpers.repository import PACKAGES, ROOT
from tests.test_line import CELLS, COMMANDS, code_of, covers, needed_by, needed_by_recommenders

CONTENT = YAML(typ="safe").load(ROOT / "params.yaml")["warm_content_recommenders"]
TABLE = YAML(typ="safe").load(ROOT / "tests" / "stale_stages.yaml")
SOURCES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py"
)


def stages_of(cells: list[str]) -> list[str]:
    """Return the stages of cells, without repeats, in the order of dvc.yaml."""
    return list(dict.fromkeys(cell.split("@")[0] for cell in cells))


def stale_cells(path: Path) -> list[str]:
    """Return the cells whose dependencies hold a file of code, or a folder above it."""
    return [cell for cell in CELLS if not code_of(cell).isdisjoint((path, *path.parents))]


@cache
def files_of(command: str) -> set[Path]:
    """Return the files that the cells of a command import, directly or not; read once."""
    return needed_by(next(cell for cell in COMMANDS if CELLS[cell]["cmd"] == command))


def importing_cells(path: Path) -> list[str]:
    """Return the cells that import a file of code, directly or not."""
    return [cell for cell in COMMANDS if path in files_of(CELLS[cell]["cmd"])]


def expected_stages(path: Path) -> list[str]:
    """Return the stages that the table gives a file: by its own row, or the row of its nearest folder."""
    row = next(parent for parent in (path, *path.parents) if str(parent) in TABLE["code"])
    return TABLE["code"][str(row)]


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_an_edit_of_a_file_makes_stale_what_the_table_says(path: Path) -> None:
    assert sorted(stages_of(stale_cells(path))) == sorted(expected_stages(path))


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_an_edit_of_a_file_makes_stale_only_stages_that_import_it(path: Path) -> None:
    """A folder among the dependencies covers all its files; the table lists those that a stage does not import.

    A stage of recommenders also imports the files of those that params.yaml does not name.
    """
    needless = set(stages_of(stale_cells(path))) - set(stages_of(importing_cells(path))) - {"sample_models"}
    needless -= {stage for stage in needless if path in needed_by_recommenders(stage)}
    assert sorted(needless) == TABLE["covered_by_a_folder"].get(str(path), [])


def cells_reading(key: str) -> list[str]:
    """Return the cells that depend on a parameter, or on the section that holds it."""
    parents = {".".join(key.split(".")[:depth]) for depth in range(1, key.count(".") + 2)}
    return [cell for cell in CELLS if CELLS[cell]["params"] & parents]


@pytest.mark.parametrize(("key", "stages"), TABLE["params"].items())
def test_a_parameter_makes_stale_what_the_table_says(key: str, stages: list[str]) -> None:
    assert stages_of(cells_reading(key)) == stages


def test_one_recommenders_parameters_leave_the_others_current() -> None:
    assert {cell.split("@")[1] for cell in cells_reading("rec_fit.itemknn.k")} == {
        "original-itemknn",
        "all-itemknn",
        "itemknn",
    }
    assert not [cell for cell in cells_reading("rec_fit.bpr.factors") if "bpr" not in cell]


def test_no_stage_depends_on_the_machine() -> None:
    assert cells_reading("machine.threads") == []


def is_kept(cell: str, out: Path) -> bool:
    """Tell whether other fine-tuned captions leave the bytes of an output: features of texts that hold none.

    tests/recsys/encoding/test_feature_sets.py holds that.
    """
    if covers(COSTS, out):  # nothing depends on it
        return True
    return cell.startswith("rec_features_text") and SOURCE_OF[out.parent.name] != "ft"


def find_stale(key: str) -> set[str]:
    """Return the cells that a parameter makes stale: those that read it, and what the change of an output reaches."""
    stale, changed = set(cells_reading(key)), set()
    while True:
        changed |= {Path(out) for cell in stale for out in CELLS[cell]["outs"] if not is_kept(cell, Path(out))}
        reached = {
            cell
            for cell in CELLS
            if any(covers(out, Path(dep)) or covers(Path(dep), out) for dep in CELLS[cell]["deps"] for out in changed)
        }
        if reached <= stale:
            return stale
        stale |= reached


def test_a_new_learning_rate_fits_nothing_that_reads_no_new_caption() -> None:
    """No tuning, no model of arrivals, no ranking by pictures; arrivals are ranked again by the same models."""
    cells = find_stale("lr")
    expected = {"caption_train", "caption_generate_ft", "caption_score", "catalogue_texts", "rec_features_text"}
    expected |= {"rec_fit_text", "rec_score", "rate", "compare", "report"}
    if "catalogue_sources" in CELLS:
        expected |= {"catalogue_sources", "rec_features_sources", "rec_rank_arrivals_text"}
    assert set(stages_of(sorted(cells))) == expected
    fits = {cell.partition("@")[2] for cell in cells if cell.startswith("rec_fit_text")}
    texts = [text for text, source in SOURCE_OF.items() if source == "ft"]
    every = [cell.partition("@")[2] for cell in CELLS if cell.startswith("rec_fit_text@")]
    assert fits == {
        name for name in every if any(name.startswith(f"{text}-{other}") for text in texts for other in CONTENT)
    }


# A cell of each stage, since `dvc status` takes its time; compare reads a folder that other cells write to.
CHOSEN = [*{cell.split("@")[0]: cell for cell in COMMANDS if cell != "compare"}.values()]
CHANGES = {
    "features/clip.py": {"caption_score", "rec_features_text", "rec_features_sources"},
    "pipeline/cluster.py": {
        *("catalogue_prepare", "caption_generate_pt", "caption_generate_ft", "caption_features"),
        *("rec_features_image", "rec_features_text", "rec_features_sources"),
        *("rec_tune", "rec_tune_image", "rec_tune_text", "rec_tune_arrivals_image", "rec_tune_arrivals_text"),
        *("rec_fit", "rec_fit_image", "rec_fit_text", "rec_fit_arrivals_image", "rec_fit_arrivals_text"),
        *("rec_rank_arrivals_image", "rec_rank_arrivals_text", "rec_interactions", "rec_score"),
    },
    "pipeline/orphans.py": {"caption_train"},
    "captioning/families/llava.py": {"caption_train", "caption_generate_pt", "caption_generate_ft"},
    "recsys/purchases/division.py": {"rec_interactions"},
    "lookbook/reporting/formatting.py": {"report"},
    "lookbook/cli/score.py": set(),
}


@pytest.mark.slow
def test_dvc_status_names_the_same_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_finished_study(tmp_path, list(PACKAGES), CHOSEN, monkeypatch)
    assert not read_status(CHOSEN)
    for name, stages in CHANGES.items():
        before = Path(name).read_text(encoding="utf-8")
        Path(name).write_text(before + "# an edit\n", encoding="utf-8")
        stale = set(read_status(CHOSEN)) & set(CHOSEN)
        assert {cell.split("@")[0] for cell in stale} == stages, name
        assert stale == set(stale_cells(Path(name))) & set(CHOSEN), name
        Path(name).write_text(before, encoding="utf-8")
