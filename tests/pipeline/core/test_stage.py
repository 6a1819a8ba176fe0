"""How a stage ends: one line, or one message and exit status 1; a full disk leaves no half-written file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import UserError
from pipeline.core.stage import print_summary, run

WRITERS = {
    "json": "write_json('out/metrics.json', list(range(500_000)))",
    "parquet": "write_parquet('out/table.parquet', pd.DataFrame({'value': np.random.default_rng(0).random(500_000)}))",
    "features": "write_features('out/features', [str(i) for i in range(2_000)], np.ones((2_000, 500)))",
}
IMPORTS = """
import numpy as np, pandas as pd
from features.files import write_features
from pipeline.core.outputs import *
from pipeline.core.stage import run
"""
ROOT = Path(__file__).parents[3]


def run_program(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_gives_one_message_and_leaves_the_old_output_alone(small_disk: Path, writer: str) -> None:
    (small_disk / "out").mkdir()
    (small_disk / "out" / "old").write_text("old")
    ended = run_program(f"{IMPORTS}\nrun(lambda: {WRITERS[writer]})", small_disk)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: disk full while writing ")
    assert len(ended.stderr.splitlines()) == 1
    assert [path.name for path in (small_disk / "out").rglob("*")] == ["old"]


@pytest.mark.slow
@pytest.mark.parametrize("library", ["safetensors", "torch"])
def test_a_full_disk_is_recognised_by_the_messages_of_libraries(small_disk: Path, library: str) -> None:
    save = {
        "safetensors": "from safetensors.numpy import save_file as save",
        "torch": "import torch; save = lambda values, path: torch.save(torch.ones(500_000), path)",
    }
    body = "with new_folder('out') as partial: save({'a': np.ones(500_000)}, partial / 'weights')"
    code = f"{IMPORTS}\n{save[library]}\ndef main():\n  {body}\nrun(main)"
    ended = run_program(code, small_disk)
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1].startswith("error: disk full")
    assert "Traceback" not in ended.stderr
    assert list(small_disk.iterdir()) == []


def test_an_error_of_the_user_is_one_message_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("params.yaml: lr: -1 is not allowed")

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 1
    assert capsys.readouterr().err == "error: params.yaml: lr: -1 is not allowed\n"


def test_an_interrupt_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 1
    assert "resumes from here" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(5, "Input/output error"), RuntimeError("another")])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    def main() -> None:
        raise error

    with pytest.raises(type(error), match=str(error.args[-1])):
        run(main)


def test_the_last_line_names_the_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the stage's costs are written
    monkeypatch.setenv("DVC_STAGE", "rec_score")
    run(lambda: print_summary("wrote metrics/recommendations.json"))
    monkeypatch.delenv("DVC_STAGE")
    print_summary("again")
    assert capsys.readouterr().out == "rec_score: wrote metrics/recommendations.json\ndone: again\n"
