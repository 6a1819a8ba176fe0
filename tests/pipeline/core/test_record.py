"""The run record never breaks a run: seconds always, energy where it can be measured. Every cell has its costs."""

import json
import os
import socket
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.record import Meter, check_country, record_costs, record_costs_by_hand
from tests.helpers.repository import ROOT, dvc


def no_network(*_: Any, **__: Any) -> None:
    raise OSError("the network was asked")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_energy_is_measured_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with Meter("DEU") as meter:
        time.sleep(0.2)
    record = meter.record()
    assert 0.2 <= record["seconds"] < 60
    assert set(record) == {"seconds", "kwh", "kg_co2"}
    assert record["kwh"] >= 0
    machine = meter.where_it_ran()
    assert machine["country"] == "DEU"
    assert machine["hardware"].startswith(f"{os.cpu_count()} x ")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("place", ["here", "home", "environment"])
def test_codecarbons_own_configuration_changes_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    keys = {"pue": "1000", "force_cpu_power": "1e6", "output_dir": "/no/such", "country_iso_code": "POL"}
    if place == "environment":
        for key, value in keys.items():
            monkeypatch.setenv(f"CODECARBON_{key.upper()}", value)
    else:
        lines = ["[codecarbon]", *(f"{key} = {value}" for key, value in keys.items())]
        (tmp_path / ("home" if place == "home" else ".") / ".codecarbon.config").write_text("\n".join(lines))
    with Meter("DEU") as meter:
        time.sleep(0.1)
        assert (meter._tracker._pue, meter._tracker._force_cpu_power) == (1.0, None)
    record = meter.record()
    assert set(record) == {"seconds", "kwh", "kg_co2"}
    assert record["kwh"] < 0.001
    assert meter._emissions.country_iso_code == "DEU"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [".codecarbon.config"] * (
        place == "here"
    )


@pytest.mark.parametrize("code", ["DEU", "AUT", "USA"])
def test_a_country_is_known(code: str) -> None:
    assert check_country(code) == code


@pytest.mark.parametrize(("code", "similar"), [("XYZ", "AUT, DEU, USA"), ("DE", "DEU"), ("deu", "DEU"), ("GER", "GEO")])
def test_a_code_that_is_no_country_is_refused(code: str, similar: str) -> None:
    with pytest.raises(ValueError, match=f"'{code}' is no country with a known electricity mix; .*{similar}"):
        check_country(code)


class BrokenAtStart:
    def __init__(self, **_: Any) -> None:
        raise RuntimeError("no such processor")


class BrokenAtStop:
    def __init__(self, **_: Any) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None:
        raise RuntimeError("no counter")


@pytest.mark.parametrize("tracker", [BrokenAtStart, BrokenAtStop, None])
def test_a_broken_codecarbon_leaves_the_seconds(monkeypatch: pytest.MonkeyPatch, tracker: type | None) -> None:
    broken = types.ModuleType("codecarbon")
    if tracker:
        broken.OfflineEmissionsTracker = tracker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "codecarbon", broken)
    with Meter("DEU") as meter:
        time.sleep(0.05)
    assert set(meter.record()) == {"seconds"}
    assert 0.05 <= meter.record()["seconds"] < 5
    assert meter.where_it_ran()["hardware"].startswith(f"{os.cpu_count()} x ")


def test_an_error_in_the_block_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", types.ModuleType("codecarbon"))
    with pytest.raises(ZeroDivisionError), Meter("DEU"):
        _ = 1 / 0


STAGE = """
import subprocess, sys, time
import numpy as np
import pydantic
from pipeline.core.stage import run


class Params(pydantic.BaseModel):
    device: str


def main():
    time.sleep(0.3)
    {work}


run(main)
"""
KEYS = ["seconds", "cpu_seconds", "peak_memory_bytes", "processor", "cpus", "memory_bytes", "device"]


def run_stage(folder: Path, work: str = "pass", **variables: str) -> int:
    """Run a stage of its own process in a folder, as the cell `rec_fit@original-userknn`; return its exit status."""
    environment = {"DVC_STAGE": "rec_fit@original-userknn", **variables}
    others = {name: value for name, value in os.environ.items() if name not in ("DVC_STAGE", "TORCHELASTIC_RUN_ID")}
    code = STAGE.format(work=work)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=others | environment).returncode


def list_costs(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_cell_writes_what_it_costs(tmp_path: Path) -> None:
    megabytes = 200
    work = f"values = np.ones({megabytes} * 2**17); start = time.process_time()\n"
    work += "    while time.process_time() < start + 0.2: values.sum()"
    start = time.perf_counter()
    assert run_stage(tmp_path, work) == 0
    elapsed = time.perf_counter() - start
    assert list_costs(tmp_path) == ["data/costs/rec_fit/original-userknn.json"]
    costs = json.loads((tmp_path / "data/costs/rec_fit/original-userknn.json").read_text())
    assert list(costs) == KEYS
    assert 0.5 <= costs["seconds"] <= elapsed + 0.02
    assert 0.2 <= costs["cpu_seconds"] <= costs["seconds"] * costs["cpus"]
    assert megabytes * 2**20 <= costs["peak_memory_bytes"] < costs["memory_bytes"]
    assert costs["device"] == "cpu"
    assert costs["processor"]


@pytest.mark.slow
def test_the_costs_of_started_processes_count(tmp_path: Path) -> None:
    child = "import time; values = b'1' * 300 * 2**20\nwhile time.process_time() < 0.4: pass"
    assert run_stage(tmp_path, f"subprocess.run([sys.executable, '-c', {child!r}], check=True)") == 0
    costs = json.loads((tmp_path / "data/costs/rec_fit/original-userknn.json").read_text())
    assert costs["cpu_seconds"] >= 0.4
    assert costs["peak_memory_bytes"] >= 300 * 2**20


LINE = """
stages:
  rec_fit:
    matrix: {catalogue: [original], recommender: [userknn, bpr]}
    cmd: python stage.py
    outs: ["data/costs/rec_fit/${key}.json"]
  compare: {cmd: python stage.py, outs: [data/costs/compare.json]}
"""


@pytest.mark.slow
def test_dvc_finds_the_costs_where_its_cells_declare_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a folder below the project's, where DVC writes the path of dvc.yaml before a cell's name."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "below").mkdir()
    (tmp_path / "stage.py").write_text("from pipeline.core.stage import run\nrun(lambda: None)\n")
    (tmp_path / "dvc.yaml").write_text(LINE)
    dvc(tmp_path, "init", "--no-scm")
    dvc(tmp_path / "below", "repro", "--all-pipelines")
    names = ("compare.json", "rec_fit/original-bpr.json", "rec_fit/original-userknn.json")
    assert list_costs(tmp_path / "data") == [f"costs/{name}" for name in names]
    assert "up to date" in dvc(tmp_path, "status").stdout


BY_HAND = """
stages:
  train:
    foreach: [a]
    do: {cmd: "false", outs: ["data/costs/train/${item}.json", "model/${item}"]}
"""


@pytest.mark.slow
def test_what_was_run_by_hand_can_be_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(BY_HAND)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/a").write_text("weights")
    record_costs_by_hand("train@a")
    dvc(tmp_path, "init", "--no-scm")
    dvc(tmp_path, "commit", "-f", "train@a")
    assert "up to date" in dvc(tmp_path, "status").stdout
    costs = tmp_path / "data/costs/train/a.json"
    costs.unlink()
    monkeypatch.setenv("DVC_STAGE", "train@a")
    record_costs_by_hand("train@a")
    assert not costs.exists()


@pytest.mark.parametrize("work", ["raise ValueError", "raise SystemExit(1)", "raise KeyboardInterrupt"])
def test_a_cell_that_fails_writes_no_costs(tmp_path: Path, work: str) -> None:
    assert run_stage(tmp_path, work) == 1
    assert list_costs(tmp_path) == []


@pytest.mark.slow
def test_a_process_that_waits_for_others_writes_the_costs_of_all(tmp_path: Path) -> None:
    """As `processes: 2` does: it ends with status 0 when they have, and they write nothing themselves."""
    assert run_stage(tmp_path, "raise SystemExit(0)", TORCHELASTIC_RUN_ID="1") == 0
    assert list_costs(tmp_path) == []
    assert run_stage(tmp_path, "raise SystemExit(0)") == 0
    assert list_costs(tmp_path) == ["data/costs/rec_fit/original-userknn.json"]


def test_a_stage_run_by_hand_writes_no_costs(tmp_path: Path) -> None:
    assert run_stage(tmp_path, DVC_STAGE="") == 0
    assert list_costs(tmp_path) == []


@pytest.mark.parametrize(
    ("params", "has_device", "kinds"),
    [
        ("device: cuda # or cpu\ncaption_train: {country: DEU}\n", True, {"cuda"}),
        ("device: cuda\ncaption_train: {country: DEU}\n", False, {"cpu"}),
        ("device: cpu # or cuda\ncaption_train: {country: DEU}\n", True, {"cpu"}),
        ("# device: cuda\ndevice: cpu\n", True, {"cpu"}),
        (None, True, {"cpu"}),
    ],
)
def test_codecarbon_measures_where_a_stage_works_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: str | None, has_device: bool, kinds: set[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "caption_score")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    if params is not None:
        Path("params.yaml").write_text(params)
    with record_costs(has_device):
        time.sleep(0.1)
    costs = json.loads(Path("data/costs/caption_score.json").read_text())
    assert {costs["device"]} == kinds
    assert ({"kwh", "kg_co2", "country"} <= costs.keys()) == (kinds == {"cuda"})
    assert ("hardware" in costs) == (kinds == {"cuda"})


def test_a_cell_on_a_cpu_imports_no_codecarbon_and_a_stage_nothing_heavy(tmp_path: Path) -> None:
    heavy = "{'torch', 'pandas', 'codecarbon', 'pydantic', 'pyarrow'}"
    code = f"import sys, pipeline.core.stage; assert not {heavy} & sys.modules.keys()"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == 0
    work = "import atexit; atexit.register(lambda: print('codecarbon' in sys.modules, file=open('imported', 'w')))"
    (tmp_path / "params.yaml").write_text("device: cpu\n")
    assert run_stage(tmp_path, work) == 0
    assert (tmp_path / "imported").read_text() == "False\n"
