"""Training where there is nothing to train: every output is there, and says so."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from captioning import train
from captioning.training.untrained import METRICS
from lookbook.reporting.drawing import draw_learning_curves

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
    assert "nothing to train" in capsys.readouterr().out
    assert "made elsewhere" in Path("data/adapters/replay/README.txt").read_text()
    metrics = json.loads(Path("metrics/train/replay.json").read_text())
    assert metrics == METRICS
    assert {metrics[name] for name in ("seconds", "kwh", "kg_co2")} == {0.0}
    curve = pd.read_csv("metrics/curves/replay.csv")
    assert curve.empty
    assert draw_learning_curves({"replay": curve}).startswith(b"<?xml")  # the report draws it
    assert pd.read_csv("data/samples/replay.csv").empty
