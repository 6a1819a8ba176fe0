"""The hashes of a report are those of the cells that the line has."""

from pathlib import Path

from lookbook.reporting.cells import read_line
from lookbook.reporting.costs import CellCosts
from lookbook.reporting.page.provenance import count_machines, read_hashes

LINE = """
stages:
  split: {cmd: split}
  train:
    foreach: ${captioners}
    do: {cmd: train}
  fit:
    matrix: {text: "${texts}", recommender: [vbpr]}
    cmd: fit
"""
LOCK = """
schema: '2.0'
stages:
  split: {cmd: split, outs: [{path: data/split, md5: 0123456789abcdef}, {path: elsewhere, md5: 1}]}
  train@a: {cmd: train, outs: [{path: data/adapters/a, md5: aaaaaaaaaaaaaaaa}, {path: metrics/train/a.json, md5: 2}]}
  train@gone: {cmd: train, outs: [{path: data/adapters/gone, md5: bbbbbbbbbbbbbbbb}]}
  fit@all-vbpr: {cmd: fit, outs: [{path: data/lists/all, md5: cccccccccccccccc}]}
  fit@all-bpr: {cmd: fit, outs: [{path: data/lists/bpr, md5: dddddddddddddddd}]}
"""


def test_machines_are_counted_by_their_cells() -> None:
    machine = {"processor": "A", "cpus": 2, "memory_bytes": 2**32, "device": "cpu"}
    of_cells = [machine, machine | {"device": "cuda"}, None, machine]
    assert count_machines([CellCosts("stage", "", costs) for costs in of_cells]) == {
        "A, 2 cores, 4 GiB": 2,
        "A, 2 cores, 4 GiB, GPU": 1,
    }


def test_cells_that_left_the_line_and_files_of_times_have_none(tmp_path: Path) -> None:
    files = {"dvc.lock": LOCK, "dvc.yaml": LINE, "params.yaml": "captioners: {a: {}}\ntexts: [all]\n"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    cells = read_line(tmp_path / "dvc.yaml", tmp_path / "params.yaml").cells
    assert read_hashes(tmp_path / "dvc.lock", cells) == {
        "data/adapters/a": "aaaaaaaaaaaa",
        "data/lists/all": "cccccccccccc",
        "data/split": "0123456789ab",
    }
