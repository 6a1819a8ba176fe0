"""Run real DVC on a copy of a study that has run. Slow; needs `dvc repro` first."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.full import full
from tests.helpers.repository import ROOT, digest, dvc, list_run, list_run_or_restored, needs_a_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600), needs_a_study]
IN_PLACE = {".gitkeep"}
LOOKBOOK = Path(sys.executable).with_name("lookbook")


def test_a_second_repro_runs_nothing_and_status_is_clean(study: Path) -> None:
    started = time.perf_counter()
    result = dvc(study, "repro")
    print(f"no-op dvc repro: {time.perf_counter() - started:.1f} s")
    assert list_run(result) == set()
    assert "up to date" in dvc(study, "status").stdout


def test_every_file_below_data_is_an_output_or_in_git() -> None:
    """A colleague does not get what a stage writes beside its outputs."""
    listed = json.loads(dvc(ROOT, "ls", ".", "data", "--recursive", "--json").stdout)
    known = {f"data/{entry['path']}" for entry in listed}
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "data").rglob("*") if path.is_file()}
    assert sorted(path for path in files - known if Path(path).name not in IN_PLACE) == []


def test_lists_and_scores_of_the_exported_purchases_are_those_of_the_docs(tmp_path: Path) -> None:
    """They read no picture and no word, so they are the same on every processor."""
    run = partial(subprocess.run, capture_output=True, text=True, check=True)
    run([LOOKBOOK, "elliot", "export", "--out", tmp_path / "elliot"], cwd=ROOT)
    blocks = (ROOT / "docs/recommenders.md").read_text().split("```")
    commands = next(block for block in blocks if block.startswith("bash\nlookbook recommend")).splitlines()[1:]
    shown = [
        run([LOOKBOOK, *shlex.split(command)[1:]], cwd=tmp_path / "elliot/data").stdout.strip() for command in commands
    ]
    assert next(block for block in blocks if block.startswith("\nwrote recs.tsv")).strip() == "\n".join(shown)


@pytest.mark.parametrize(
    ("key", "value", "figure"),
    [("captions", "pt", "chosen"), pytest.param("catalogue", "original", "warm", marks=full)],
)
def test_switching_what_the_headline_shows_runs_two_stages(study: Path, key: str, value: str, figure: str) -> None:
    started = time.perf_counter()
    result = dvc(study, "exp", "run", "-S", f"{key}={value}", "-n", value)
    print(f"dvc exp run -S {key}={value}: {time.perf_counter() - started:.1f} s")
    assert list_run_or_restored(result) == {"compare", "report"}
    changed = json.loads(dvc(study, "metrics", "diff", "HEAD", value, "--json").stdout)
    assert changed.keys() <= {"metrics/headline.json", "metrics/chosen.json"}
    assert figure in {name for figures in changed.values() for name in figures}


def test_a_rate_that_yaml_writes_with_an_exponent_stays_a_number(study: Path) -> None:
    dvc(study, "exp", "run", "-S", "lr=1e-5", "--single-item", "sample_shop")
    assert "\nlr: 1e-05\n" in (study / "params.yaml").read_text()
    command = "from captioning.train import Params; from pipeline.core.params import read; print(read(Params).lr)"
    shown = subprocess.run([sys.executable, "-c", command], cwd=study, capture_output=True, text=True, check=True)
    assert float(shown.stdout) == 1e-5


@full
def test_a_new_learning_rate_reruns_training_and_what_follows_and_nothing_else(own_study: Path) -> None:
    result = dvc(own_study, "exp", "run", "-S", "lr=1e-4", "-n", "slow-lr")
    cells = list_run_or_restored(result)
    stages = {cell.partition("@")[0] for cell in cells}
    always = {"caption_train", "caption_generate_ft", "caption_score", "catalogue_texts", "rec_features_text"}
    always |= {"catalogue_sources", "rec_features_sources", "rate"}
    assert always <= stages <= always | {"rec_fit_text", "rec_rank_arrivals_text", "rec_score", "compare", "report"}
    fits = [cell.partition("@")[2] for cell in cells if cell.startswith("rec_fit_text@")]
    assert [fit for fit in fits if not fit.startswith(("augmented-", "masked-ft-"))] == []
    assert (own_study / "params.yaml").read_text().count("lr: 0.0001") == 1
    assert "bleu_4" in dvc(own_study, "metrics", "diff", "HEAD", "--targets", "metrics/chosen.json").stdout


def training_process(study: Path) -> int | None:
    """Return the process id of `python -m captioning.train` in this copy."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            if b"captioning.train" in command and Path(os.readlink(process / "cwd")) == study.resolve():
                return int(process.name)
        except OSError:
            continue
    return None


def start_training(study: Path) -> subprocess.Popen[bytes]:
    """Start `dvc repro` of a captioner, and return when its first checkpoint is on disk."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "dvc", "repro", "-s", "caption_train@tiny-blip2-opt"]
    process = subprocess.Popen(
        command, cwd=study, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 600
    while not checkpoints(study):
        assert process.poll() is None, "training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return process


def checkpoints(study: Path) -> list[Path]:
    return [path.parent for path in (study / ".checkpoints").glob("*/checkpoint-*/manifest.json")]


@full
@pytest.mark.parametrize("victim", ["training", "dvc"])
def test_a_killed_training_resumes_to_the_same_bytes(own_study: Path, victim: str) -> None:
    undisturbed = digest(own_study / "data/adapters/tiny-blip2-opt")
    shutil.rmtree(own_study / "data/adapters/tiny-blip2-opt")
    cache = own_study / ".dvc" / "cache"  # empty: nothing to restore the adapter from
    dvc(own_study, "config", "--local", "cache.dir", str(cache))
    process = start_training(own_study)
    training = training_process(own_study)
    assert training is not None
    os.kill(training if victim == "training" else process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    deadline = time.monotonic() + 30
    while training_process(own_study) is not None and time.monotonic() < deadline:
        time.sleep(0.5)
    assert training_process(own_study) is None, "an orphan keeps writing"
    result = dvc(own_study, "repro", "-s", "caption_train@tiny-blip2-opt")
    assert "resum" in (result.stdout + result.stderr).lower()
    assert digest(own_study / "data/adapters/tiny-blip2-opt") == undisturbed


def test_a_typo_in_params_stops_a_stage_with_one_message(study: Path) -> None:
    params = (study / "params.yaml").read_text().replace("  max_new_tokens: 64", "  max_new_token: 64")
    (study / "params.yaml").write_text(params)
    command = [sys.executable, "-m", "captioning.generate", "--captioner", "tiny-llava", "--family", "llava"]
    result = subprocess.run(command, cwd=study, capture_output=True, text=True)
    assert result.returncode == 1
    assert "max_new_token: unknown key; did you mean max_new_tokens?" in result.stderr
    assert "Traceback" not in result.stderr
