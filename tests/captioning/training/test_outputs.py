"""Outputs of training: the cost of a resumed run, and every output where there is nothing to train."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from captioning import train
from captioning.training.outputs import UNTRAINED_METRICS, with_earlier_cost
from lookbook.reporting.charts.drawing import draw_learning_curves

ROOT = Path(__file__).parents[3]


def test_a_captioner_of_family_file_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    for path in (train.ITEMS, train.IMAGES, Path("data/models/replay")):
        (tmp_path / path).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", "--captioner", "replay", "--family", "file"])
    train.main()
    assert "nothing is trained" in capsys.readouterr().out
    assert "made elsewhere" in Path("data/adapters/replay/README.txt").read_text()
    metrics = json.loads(Path("metrics/train/replay.json").read_text())
    assert metrics == UNTRAINED_METRICS
    assert {metrics[name] for name in ("seconds", "kwh", "kg_co2")} == {0.0}
    curve = pd.read_csv("metrics/curves/replay.csv")
    assert curve.empty
    assert draw_learning_curves({"replay": curve}, 6.9).axes  # the report can draw it
    assert pd.read_csv("data/samples/replay.csv").empty


def test_the_cost_before_a_resume_is_added() -> None:
    record = with_earlier_cost({"seconds": 10.0, "kwh": 0.2, "kg_co2": 0.1}, seconds_before=30.0)
    assert record == {"seconds": 40.0, "kwh": pytest.approx(0.8), "kg_co2": pytest.approx(0.4)}
    assert with_earlier_cost({"seconds": 10.0}, 0.0) == {"seconds": 10.0}
