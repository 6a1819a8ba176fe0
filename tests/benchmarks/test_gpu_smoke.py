"""The GPU check, in the form that runs on a CPU: every part with small models and 40 portraits."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlavaForConditionalGeneration

from tests.helpers.full import full

SCRIPT = Path(__file__).parent.parent.parent / "benchmarks" / "gpu_smoke.py"


def test_the_full_llava_has_the_published_shapes() -> None:
    """7.06 billion parameters, and pictures of 336 pixels."""
    spec = importlib.util.spec_from_file_location("smoke_project", SCRIPT.with_name("smoke_project.py"))
    assert spec is not None
    assert spec.loader is not None
    project = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(project)
    config = project.make_llava_config(AutoTokenizer.from_pretrained(project.SMALL / "tiny-llava"))
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    assert 7.06e9 < sum(weights.numel() for weights in model.parameters()) < 7.07e9
    assert config.vision_config.image_size == 336


def call(*words: str) -> str:
    ended = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@full
@pytest.mark.slow
def test_every_part_runs_without_a_gpu(tmp_path: Path) -> None:
    folder = tmp_path / "smoke"
    call("prepare", str(folder), "--size", "tiny", "--pictures", "40")
    printed = call("measure", str(folder), "--device", "cpu")
    report: dict[str, dict[str, Any]] = json.loads((folder / "report.json").read_text())
    assert {part: list(rows) for part, rows in report.items()} == {
        "features": ["resnet50", "clip", "blip2"],
        "captions": ["blip2", "llava"],
        "training": ["study", "plain", "ours"],
        "resume": ["blip2", "llava"],
    }
    assert len(printed.splitlines()) == 10
    assert all(row["cosine"] > 0.9999 for row in report["features"].values())
    assert all(row["equal_words"] == 1 for row in report["captions"].values())
    assert all(row["tokens_per_second"] > 0 for row in report["training"].values())
    for row in report["resume"].values():
        assert row["largest_difference"] == 0
        assert row["killed_while_running"]
        assert row["peak_gb"] is None
        assert row["doctor_gb"] > 0


@pytest.mark.slow
def test_a_part_that_fails_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("device: cpu\ncaption_train: {precision: fp32}\n")
    words = ["measure", str(tmp_path), "--device", "cpu", "--parts", "captions"]
    ended = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True)
    assert ended.returncode == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert all("Traceback" in row["failed"] for row in report["captions"].values())
    assert len(report["captions"]) == 2
