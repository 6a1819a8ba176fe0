"""The cells of dvc.yaml as the project counts them, against DVC's own."""

from ruamel.yaml import YAML

from lookbook.reporting.cells import fill, list_cells
from tests.helpers.repository import ROOT
from tests.test_line import CELLS, PARAMS


def test_cells_and_their_outputs_are_those_of_dvc() -> None:
    for name, stage in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].items():
        body = stage.get("do", stage)
        cells = list_cells(stage, PARAMS)
        assert [f"{name}@{cell['key']}" if cell else name for cell in cells] == [
            cell for cell in CELLS if cell.partition("@")[0] == name
        ]
        for cell in cells:
            outs = {fill(out if isinstance(out, str) else next(iter(out)), cell, PARAMS) for out in body["outs"]}
            assert outs <= set(CELLS[f"{name}@{cell['key']}" if cell else name]["outs"])


def test_an_axis_that_params_yaml_lacks_has_no_cells() -> None:
    assert list_cells({"foreach": "${captioners}"}, {}) == []
    assert list_cells({"matrix": {"text": "${texts}"}}, {"texts": None}) == []
    assert list_cells({"cmd": "python -m recsys.score"}, {}) == [{}]
