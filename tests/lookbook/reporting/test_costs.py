"""The costs of the cells that a line has: not of one that left it, and what is absent is known to be."""

from pathlib import Path

import pytest

from lookbook.reporting.cells import Cell, read_line
from lookbook.reporting.costs import read_costs
from pipeline.core.outputs import write_json

LINE = """
stages:
  compare: {cmd: a, outs: [data/costs/compare.json]}
  rec_fit:
    matrix: {catalogue: "${catalogues}", recommender: "${recommenders}"}
    cmd: b
    outs: ["data/lists/${item.catalogue}/${item.recommender}", "data/costs/rec_fit/${key}.json"]
  rec_fit_text:
    matrix: {recommender: [vbpr], features: [sbert]}
    cmd: c
    outs: ["data/costs/rec_fit_text/${key}.json"]
  report: {cmd: d, outs: [reports, data/costs/report.json]}
"""
COSTS = Path("data/costs")


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("catalogues: [all]\nrecommenders: [bpr, userknn]\n")
    Path("dvc.yaml").write_text(LINE)
    return read_line(Path("dvc.yaml"), Path("params.yaml")).cells


def test_every_cell_of_the_line_has_its_costs_or_none(cells: list[Cell]) -> None:
    for name in ("compare", "rec_fit/all-bpr", "rec_fit/all-itemknn", "rec_fit_text/vbpr-sbert", "report"):
        write_json(COSTS / f"{name}.json", {"seconds": 1.0})
    costs = read_costs(COSTS, cells)
    assert [(cell.stage, cell.recommender, cell.costs is not None) for cell in costs] == [
        ("compare", "", True),
        ("rec_fit", "bpr", True),
        ("rec_fit", "userknn", False),
        ("rec_fit_text", "vbpr-sbert", True),
    ]


def test_a_study_without_costs_has_no_cells_to_show(cells: list[Cell]) -> None:
    assert read_costs(COSTS, cells) == []
    write_json(COSTS / "rec_fit/all-itemknn.json", {"seconds": 1.0})  # left the line
    assert read_costs(COSTS, cells) == []
    write_json(COSTS / "compare.json", {"seconds": 1.0})
    assert len(read_costs(COSTS, cells)) == 4
    assert read_costs(COSTS, []) == []
