"""The stage caption_train: parameters, outputs, and files that it must not change."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file

from captioning import train
from captioning.modelling import load, make_example, tokenize
from captioning.training import checkpoints, settings
from pipeline.core.errors import UserError
from pipeline.core.params import read
from pipeline.machine import MACHINE
from tests.helpers.code_deps import code_deps
from tests.helpers.fine_tuning import Unmetered, run_stage
from tests.helpers.training_checkpoints import wait_for_checkpoint

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("short_samples")
Project = Callable[..., Path]


def write_params(tmp_path: Path, **changes: object) -> Path:
    yaml = YAML()
    values = yaml.load(ROOT / "studies" / "sample.yaml")
    for name, value in changes.items():
        section = next((section for section in ("caption_train", "machine") if name in values[section]), None)
        (values[section] if section else values)[name] = value
    yaml.dump(values, tmp_path / "params.yaml")
    return tmp_path / "params.yaml"


def test_the_study_as_shipped_is_valid() -> None:
    params = read(settings.Params, ROOT / "params.yaml")
    assert params.batch_size % params.machine.device_batch_size == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 24}, "device_batch_size: 16 does not divide batch_size: 24"),
        ({"lr": 1e-7}, "lr_min: 1e-06 is above lr: 1e-07"),
        ({"lr": -1.0}, "lr: -1.0 is not allowed"),
        ({"lora_layers": "query"}, "lora_layers: 'query' is not allowed"),
        ({"warmup": 1.0}, "caption_train.warmup"),
        ({"country": "Germany"}, "caption_train.country"),
        ({"precision": "fp16"}, "caption_train.precision"),
        ({"patience": 0}, "caption_train.patience"),
        ({"device_batch_size": "most"}, "machine.device_batch_size"),
        ({"quantization": "int8"}, "caption_train.quantization"),
        ({"gradient_checkpointing": "yes"}, "machine.gradient_checkpointing"),
        ({"sharding": "zero"}, "machine.sharding"),
    ],
)
def test_wrong_parameters_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(settings.Params, write_params(tmp_path, **changes))


@pytest.mark.parametrize(
    "changes",
    [{"device_batch_size": "auto"}, {"gradient_checkpointing": True}, {"processes": 2, "sharding": "fsdp"}],
    ids=["device_batch_size", "gradient_checkpointing", "sharding"],
)
def test_how_a_machine_finds_room_is_no_part_of_the_checkpoint_key(tmp_path: Path, changes: dict) -> None:
    """So that the remedy for one captioner that does not fit trains none of the others again."""
    small = changes | {"device_batch_size": changes.get("device_batch_size", 8)}
    before, after = (
        read(settings.Params, write_params(tmp_path, **some)).model_dump(exclude={MACHINE}) for some in ({}, small)
    )
    assert before == after


@pytest.mark.parametrize("rate", ["1e-05", "1e-5", "5e-05", "0.0001", "1"])
def test_a_rate_in_any_notation_is_a_number(tmp_path: Path, rate: str) -> None:
    path = write_params(tmp_path)
    path.write_text(path.read_text().replace("\nlr: 0.0005", f"\nlr: {rate}"))
    assert read(settings.Params, path).lr == float(rate)


def test_parameters_are_read_before_torch_is_loaded() -> None:
    code = "import sys, captioning.train, captioning.generate; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize("missing", ["data/prepared/items.parquet", "data/prepared/images", "data/models/tiny"])
def test_missing_inputs_are_named(tiny_project: Project, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    project = tiny_project("llava")
    (project / missing).rename(project / "elsewhere")
    with pytest.raises(UserError, match=missing):
        run_stage(monkeypatch, "llava")


@pytest.mark.parametrize(
    ("captioner", "message"),
    [
        ("tinny", "data/models/tinny: no model here; known models: tiny; did you mean tiny"),
        ("hub/tiny", "--captioner: 'hub/tiny' is no name for a captioner"),
    ],
)
def test_an_unknown_captioner_and_a_name_that_none_may_have_are_refused_before_training(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch, captioner: str, message: str
) -> None:
    tiny_project("llava")
    monkeypatch.setattr(sys, "argv", ["train", "--captioner", captioner, "--family", "llava"])
    with pytest.raises(UserError, match=message):
        train.main()


def test_the_stage_writes_what_the_line_expects(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inside a project of DVC and git, whose dvc.yaml DVCLive would like to edit."""
    project = tiny_project("llava")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (project / "dvc.yaml").write_text("# by hand\nstages: {}\n")
    (project / ".gitignore").write_text("/.checkpoints/\n")
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "first"], cwd=project, check=True)
    run_stage(monkeypatch, "llava")

    assert (project / "dvc.yaml").read_text() == "# by hand\nstages: {}\n"
    assert not (project / "dvclive").exists()
    assert list((project / ".checkpoints").iterdir()) == []
    assert (project / "data/costs/caption_train/tiny.json").is_file()  # `dvc commit` wants it of a run by hand
    adapter = project / "data" / "adapters" / "tiny"
    assert sorted(path.name for path in adapter.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert str(project) not in (adapter / "adapter_config.json").read_text()
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == "data/models/tiny"
    metrics = json.loads((project / "metrics" / "train" / "tiny.json").read_text())
    assert {
        "loss",
        "validation_loss",
        "best_epoch",
        "epochs",
        "steps",
        "seconds",
        "kwh",
        "kg_co2",
    } <= metrics.keys()
    assert {"country", "hardware", "model_class", "parameters"} <= metrics["facts"][0].keys()
    assert (metrics["steps"], metrics["training_items"], metrics["validation_items"]) == (9, 24, 8)
    assert 0 < metrics["kg_co2"] < metrics["kwh"] < 0.01
    samples = pd.read_csv(project / "data" / "samples" / "tiny.csv")
    assert (len(samples), samples["item_id"].nunique(), samples["epoch"].max()) == (15, 5, 3)
    curve = pd.read_csv(project / "metrics" / "curves" / "tiny.csv")
    assert curve.columns.tolist() == ["step", "kind", "value"]
    assert curve.notna().all(axis=None)
    assert curve.loc[curve["kind"] == "validation_loss", "value"].min() == metrics["validation_loss"]
    tokens, ended = capsys.readouterr().out.splitlines()
    assert tokens == "tiny: 4 image tokens"
    assert ended.startswith("done: wrote data/adapters/tiny: validation loss")


def test_a_repository_without_a_commit_is_refused(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVCLive asks git for the current commit."""
    project = tiny_project("llava")
    monkeypatch.setattr(train, "Meter", Unmetered)
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    (project / ".dvc").mkdir()
    with pytest.raises(UserError, match="make a first commit"):
        run_stage(monkeypatch, "llava")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5", "llava"])
def test_the_adapter_changes_the_captions(tiny_project: Project, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    project = tiny_project(family, {"epochs": 1})
    monkeypatch.setattr(train, "Meter", Unmetered)
    run_stage(monkeypatch, family)
    model, adapter = project / "data" / "models" / "tiny", project / "data" / "adapters" / "tiny"
    assert len(load_file(adapter / "adapter_model.safetensors")) > 0
    plain, tuned = load(model, family, torch.float32), load(model, family, torch.float32, adapter=adapter)
    framed = make_example(plain, None, tokenize(plain, ["a red shirt"])[0])
    batch = {"pixel_values": torch.ones(1, 3, 32, 32), "input_ids": torch.tensor([framed.input_ids])}
    batch |= {"labels": torch.tensor([framed.labels])}
    with torch.no_grad():
        assert not torch.equal(plain.model(**batch).logits, tuned.model(**batch).logits)


@pytest.mark.slow
def test_a_changed_rate_does_not_meet_the_old_checkpoint(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_project("blip2_opt")
    monkeypatch.setattr(train, "Meter", Unmetered)
    used = []
    name_run_folder = checkpoints.name_run_folder
    monkeypatch.setattr(checkpoints, "name_run_folder", lambda *args: used.append(name_run_folder(*args)) or used[-1])
    run_stage(monkeypatch, "blip2_opt")
    run_stage(monkeypatch, "blip2_opt")
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("\nlr: 0.01", "\nlr: 0.02"))
    run_stage(monkeypatch, "blip2_opt")
    assert used[0] == used[1] != used[2]


def test_the_key_covers_the_code_that_the_line_names() -> None:
    """tests/test_line.py compares the deps of dvc.yaml with what a cell imports."""
    of_file = {"pipeline/cells/missing.py", "pipeline/cells/rows.py"}  # read by family file, which trains nothing
    assert {*train.CODE, "captioning/families/llava.py"} == code_deps("caption_train", "llava") - of_file


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_with_the_same_bytes(tiny_project: Project) -> None:
    """kill -9 of the process after its first and its third checkpoint; the third start ends the run."""
    project = tiny_project("blip2_t5", {"epochs": 12, "caption_train.patience": 12})
    adapter = project / "data" / "adapters" / "tiny" / "adapter_model.safetensors"
    finish(start(project, "blip2_t5"))
    expected = adapter.read_bytes()
    adapter.unlink()
    for step in (2, 8):
        process = start(project, "blip2_t5")
        wait_for_checkpoint(project, step)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not adapter.exists()
    finish(start(project, "blip2_t5"))
    assert adapter.read_bytes() == expected
    remaining = [path.name for path in (project / ".checkpoints").iterdir()]
    assert all(name.startswith("features") for name in remaining)  # which the next run may share


@pytest.mark.slow
def test_a_second_process_is_refused_while_the_first_one_trains(tiny_project: Project) -> None:
    project = tiny_project("blip2_opt", {"epochs": 500, "caption_train.patience": 500})
    first = start(project, "blip2_opt")
    wait_for_checkpoint(project, 2)
    second = start(project, "blip2_opt")
    _, errors = second.communicate(timeout=120)
    first.kill()
    first.wait()
    assert second.returncode == 1
    assert f"process {first.pid} is working" in errors


def start(project: Path, family: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "captioning.train", "--captioner", "tiny", "--family"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*command, family], cwd=project, env=environment, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


@pytest.mark.slow
def test_every_epochs_adapter_is_kept_when_asked_for(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the adapter's folder, whose own adapter stays that of the best epoch; all of them differ."""
    monkeypatch.setattr(train, "Meter", Unmetered)
    project = tiny_project("llava")
    run_stage(monkeypatch, "llava")
    adapter = project / "data/adapters/tiny"
    plain = {path.name: path.read_bytes() for path in adapter.iterdir()}
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("keep_epochs: false", "keep_epochs: true"))
    run_stage(monkeypatch, "llava")
    best = json.loads((project / "metrics/train/tiny.json").read_text())["best_epoch"]
    assert {path.name: path.read_bytes() for path in adapter.iterdir() if path.is_file()} == plain
    kept = {path.name: {file.name: file.read_bytes() for file in path.iterdir()} for path in adapter.glob("epochs/*")}
    assert kept.keys() == {"1", "2", "3"}
    assert kept[str(best)] == plain
    assert len({files["adapter_model.safetensors"] for files in kept.values()}) == 3
