"""Whole runs of tiny captioners: the same bytes every time, interrupted or not; the best epoch, not the last."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import TrainerCallback

from captioning.modelling import load, prepare_images
from captioning.train import IMAGES, ITEMS
from captioning.training import callbacks, checkpoints, fine_tuning, history
from captioning.training.examples import read_split
from captioning.training.outputs import write_adapter
from captioning.training.settings import Params
from captioning.training.trainer import CaptionTrainer
from catalogue.prepared.images import ImageStore
from pipeline.core import stage
from pipeline.core.errors import UserError
from pipeline.core.params import read
from tests.captioning.families import auto_models
from tests.helpers.full import slowly

pytestmark = pytest.mark.usefixtures("short_samples")
MODEL = Path("data/models/tiny")
Project = Callable[..., Path]


def train(family: str, folder: str) -> tuple[fine_tuning.Result, bytes]:
    """A run of the project in the working directory, from where `folder` has got to; and the bytes of its adapter."""
    result = fine_tuning.fine_tune(MODEL, family, ITEMS, IMAGES, read(Params), Path(folder))
    write_adapter(result.best, Path(f"{folder}-adapter"), MODEL, {})
    return result, Path(f"{folder}-adapter/adapter_model.safetensors").read_bytes()


class Whole(NamedTuple):
    """An uninterrupted run of BLIP-2 with OPT: the project's folder with `run`, its result, the adapter's bytes."""

    project: Path
    result: fine_tuning.Result
    adapter: bytes


@pytest.fixture(scope="module")
def whole(write_tiny_project: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Run the default project of `tiny_project("blip2_opt")` once for all tests of this module."""
    project = tmp_path_factory.mktemp("whole") / "project"
    write_tiny_project(project, "blip2_opt")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr(callbacks, "SAMPLE_TOKENS", 8)
        return Whole(project, *train("blip2_opt", "run"))


class KilledError(Exception):
    """Ends a run as a kill would."""


class KillAt(TrainerCallback):
    def __init__(self, event: str, step: int) -> None:
        setattr(self, event, lambda args, state, control, **kwargs: self._at(state, step))

    def _at(self, state: Any, step: int) -> None:
        if state.global_step == step:
            raise KilledError


class Steps(TrainerCallback):
    """Records the steps that a run makes."""

    def __init__(self, steps: list[int]) -> None:
        self.on_step_end = lambda args, state, control, **kwargs: steps.append(state.global_step)


@contextlib.contextmanager
def watched_by(callback: TrainerCallback, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    build = CaptionTrainer.__init__

    def with_callback(self: CaptionTrainer, *args: Any) -> None:
        build(self, *args)
        self.add_callback(callback)

    with monkeypatch.context() as patch:
        patch.setattr(CaptionTrainer, "__init__", with_callback)
        yield


def train_until(family: str, folder: str, event: str, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends the run at an event (a callback's method) of a step."""
    with watched_by(KillAt(event, step), monkeypatch), pytest.raises(KilledError):
        train(family, folder)


@pytest.mark.parametrize("family", ["blip2_opt", *slowly("blip2_t5", "llava")])
def test_interrupted_equals_uninterrupted(family: str, tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 epochs of 3 steps, saved every 2: killed between checkpoints, before an evaluation, just after saving."""
    tiny_project(family, {"machine.device_batch_size": 4})
    whole, expected = train(family, "whole")
    train_until(family, "parts", "on_step_end", 3, monkeypatch)
    assert sorted(path.name for path in Path("parts").glob("checkpoint-*")) == ["checkpoint-2"]
    train_until(family, "parts", "on_evaluate", 6, monkeypatch)
    train_until(family, "parts", "on_save", 8, monkeypatch)
    steps: list[int] = []
    with watched_by(Steps(steps), monkeypatch):
        parts, adapter = train(family, "parts")
    assert steps == [9]  # the last step, and no step twice
    assert adapter == expected
    assert parts.curve == whole.curve
    assert parts.metrics == whole.metrics
    assert parts.samples == whole.samples
    assert parts.seconds_before > 0 == whole.seconds_before


@pytest.mark.slow
def test_a_damaged_last_checkpoint_costs_time_but_changes_nothing(
    whole: Whole, tiny_project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tiny_project("blip2_opt")
    train_until("blip2_opt", "parts", "on_step_end", 5, monkeypatch)
    optimizer = Path("parts/checkpoint-4/optimizer.pt")
    optimizer.write_bytes(optimizer.read_bytes()[:-100])
    assert train("blip2_opt", "parts")[1] == whole.adapter
    assert "parts/checkpoint-4 is damaged" in caplog.text


@pytest.mark.slow
def test_a_disk_that_fills_up_while_saving_loses_nothing(
    whole: Whole,
    tiny_project: Project,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiny_project("blip2_opt")
    folder = str(small_disk / "run")
    train_until("blip2_opt", folder, "on_step_end", 3, monkeypatch)
    with contextlib.suppress(OSError), open(small_disk / "filler", "wb", buffering=0) as filler:
        for _ in range(1 << 20):
            filler.write(bytes(1 << 10))
    os.truncate(small_disk / "filler", (small_disk / "filler").stat().st_size - (24 << 10))  # for DVCLive's rows
    with pytest.raises(SystemExit):
        stage.run(lambda: train("blip2_opt", folder))
    assert "disk full" in capsys.readouterr().err
    assert [path.name for path in Path(folder).glob("checkpoint-*")] == ["checkpoint-2"]
    (small_disk / "filler").unlink()
    assert train("blip2_opt", folder)[1] == whole.adapter


@pytest.mark.parametrize("family", ["blip2_opt", *slowly("llava")])
def test_a_few_validation_items_are_captioned_after_each_epoch(
    family: str, tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The items are the same after each epoch, captions are those of generation, and DVCLive's folder has them too."""
    tiny_project(family, {"epochs": 2})
    monkeypatch.setattr(callbacks, "SAMPLE_TOKENS", 64)  # as users get them
    result, _ = train(family, "run")
    items = read_split(ITEMS, "validation").set_index("item_id")["description"]
    assert [(row["item_id"], row["epoch"]) for row in result.samples] == [
        (item, epoch) for item in sorted(items.index)[:5] for epoch in (1, 2)
    ]
    assert all(row["reference"] == items[row["item_id"]] for row in result.samples)
    shown = pd.read_csv("run/live/samples.csv", dtype="str", keep_default_na=False)
    assert shown["caption"].tolist() == [row["caption"] for row in result.samples]
    last = checkpoints.find_latest(Path("run"))
    tuned = load(MODEL, family, torch.float32, adapter=last)
    images = prepare_images(tuned, [ImageStore(IMAGES)[item] for item in sorted(items.index)[:5]])
    captions = [caption.text for caption in tuned.family.generate(tuned, images, 64)]
    assert captions == [row["caption"] for row in result.samples if row["epoch"] == 2]


@pytest.mark.slow
def test_checkpointed_activations_give_the_same_run(tiny_project: Project) -> None:
    tiny_project("blip2_t5", {"epochs": 1})
    plain, _ = train("blip2_t5", "plain")
    set_param("gradient_checkpointing: false", "gradient_checkpointing: true")
    again, _ = train("blip2_t5", "checkpointed")
    assert [row["loss"] for row in again.curve] == pytest.approx([row["loss"] for row in plain.curve], rel=1e-5)


@pytest.mark.slow
def test_four_bit_weights_train_and_resume_to_the_same_bytes(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project("blip2_opt", {"caption_train.quantization": "nf4"})
    whole, expected = train("blip2_opt", "whole")
    assert [row["loss"] for row in whole.curve][-1] < whole.curve[0]["loss"]
    train_until("blip2_opt", "parts", "on_step_end", 5, monkeypatch)
    assert train("blip2_opt", "parts")[1] == expected


def test_a_resumed_run_reads_its_adapter_onto_its_own_device(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default, peft reads that of every process onto the first GPU."""
    tiny_project("blip2_opt")
    train_until("blip2_opt", "parts", "on_step_end", 5, monkeypatch)
    load, devices = PeftModel.load_adapter, []

    def load_adapter(*args: Any, **kwargs: Any) -> Any:
        devices.append(kwargs.get("torch_device"))
        return load(*args, **kwargs)

    monkeypatch.setattr(PeftModel, "load_adapter", load_adapter)
    train("blip2_opt", "parts")
    assert devices == ["cpu"]


def test_damaged_weights_of_a_model_are_named(tiny_project: Project) -> None:
    project = tiny_project("blip2_opt")
    (weights,) = (project / MODEL).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model.safetensors: damaged"):
        train("blip2_opt", "run")


def test_an_empty_training_split_is_refused(tiny_project: Project) -> None:
    tiny_project("blip2_opt")
    items = pd.read_parquet(ITEMS)
    items[items["split"] != "train"].to_parquet(ITEMS)
    with pytest.raises(UserError, match=r"items.parquet.*train"):
        train("blip2_opt", "run")


def set_param(old: str, new: str) -> None:
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new))


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again(whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between its last checkpoint and its outputs."""
    monkeypatch.chdir(shutil.copytree(whole.project, tmp_path / "project"))
    shutil.rmtree("run-adapter")
    monkeypatch.setattr(CaptionTrainer, "train", lambda *args, **kwargs: pytest.fail("trained again"))
    again, adapter = train("blip2_opt", "run")
    assert (again.metrics, again.curve, adapter) == (whole.result.metrics, whole.result.curve, whole.adapter)


@pytest.mark.slow
def test_the_seed_decides_the_bytes(whole: Whole, tiny_project: Project) -> None:
    tiny_project("blip2_opt")
    assert train("blip2_opt", "again")[1] == whole.adapter
    set_param("\nseed: 42", "\nseed: 43")
    assert train("blip2_opt", "other")[1] != whole.adapter


@pytest.mark.parametrize("steps", [1, 5, 1_000])
def test_how_often_a_run_is_saved_changes_no_byte(whole: Whole, tiny_project: Project, steps: int) -> None:
    """The run of `whole` is saved every two steps."""
    tiny_project("blip2_opt", {"machine.checkpoint_steps": steps})
    assert train("blip2_opt", "run")[1] == whole.adapter


def test_the_best_epoch_is_kept_not_the_last(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the validation loss rise after the second epoch: the adapter is that of step 6."""
    tiny_project("blip2_opt", {"epochs": 9, "caption_train.patience": 2})
    losses, weights = iter([3.0, 1.0, 2.0, 1.5, 0.1]), {}
    log = CaptionTrainer.log

    def forged(self: CaptionTrainer, logs: dict[str, float], start_time: float | None = None) -> None:
        if "eval_loss" in logs:
            logs["eval_loss"] = next(losses)
        log(self, logs, start_time)

    save = CaptionTrainer._save_checkpoint

    def remember(self: CaptionTrainer, *args: Any) -> None:
        save(self, *args)
        adapter = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}" / "adapter_model.safetensors"
        weights[self.state.global_step] = adapter.read_bytes()

    monkeypatch.setattr(CaptionTrainer, "log", forged)
    monkeypatch.setattr(CaptionTrainer, "_save_checkpoint", remember)
    result, adapter = train("blip2_opt", "run")
    assert (result.metrics["best_epoch"], result.metrics["validation_loss"]) == (2, 1.0)
    assert (result.metrics["epochs"], result.metrics["steps"]) == (4, 12)  # patience of 2, so the 0.1 is never seen
    assert adapter == weights[6] != weights[12]


@pytest.mark.slow
def test_the_rate_falls_to_its_lowest_over_exactly_the_steps_of_the_run(tiny_project: Project) -> None:
    tiny_project("llava", {"caption_train.lr_min": 0.0005, "caption_train.warmup": 0.25})
    result, _ = train("llava", "run")
    rates = [row["lr"] for row in result.curve]
    assert [row["step"] for row in result.curve] == list(range(1, 10))
    assert rates[:3] == sorted(rates[:3])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert max(rates) == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.0005, rel=1e-12)


@pytest.mark.slow
def test_validation_loss_is_the_mean_over_tokens_for_any_batches(tiny_project: Project) -> None:
    tiny_project("blip2_t5", {"epochs": 1})
    whole = train("blip2_t5", "whole")[0].metrics["validation_loss"]
    params = Path("params.yaml")
    for size in (1, 2, 4):
        text = params.read_text().replace("device_batch_size: 8", f"device_batch_size: {size}")
        Path(f"params-{size}.yaml").write_text(text)
        changed = read(Params, Path(f"params-{size}.yaml"))
        trainer = trainer_at(Path("whole"), changed)
        assert trainer.evaluate()["eval_loss"] == pytest.approx(whole, rel=1e-6)


def trainer_at(folder: Path, params: Params) -> CaptionTrainer:
    """A trainer with the weights of the best epoch of a run."""
    captioner = fine_tuning.load_with_adapter(MODEL, "blip2_t5", params)
    best = checkpoints.find_best(checkpoints.find_latest(folder))
    captioner.model.load_adapter(str(best), "default", is_trainable=True)
    validation = fine_tuning.load_splits(captioner, MODEL, ITEMS, IMAGES, params, Path("other"))[1]
    return fine_tuning.make_trainer(captioner, validation, validation, params, Path("other"))


@pytest.mark.slow
def test_only_the_language_models_adapter_learns(tiny_project: Project) -> None:
    tiny_project("llava", {"lora_layers": "all-linear"})
    result, _ = train("llava", "run")
    adapter = load_file(result.best / "adapter_model.safetensors")
    assert all("language_model" in name for name in adapter)
    assert all(adapter[name].any() for name in adapter if "lora_B" in name)  # zero before training
    assert result.metrics["trainable_parameters"] == sum(weights.numel() for weights in adapter.values())
    losses = [row["loss"] for row in result.curve]
    assert losses[-1] < losses[0]


def test_a_loss_that_is_no_number_ends_the_run(tiny_project: Project) -> None:
    tiny_project("blip2_opt", {"lr": 1e30})
    with pytest.raises(UserError, match="try a smaller lr"):
        train("blip2_opt", "run")


@pytest.mark.slow
def test_bf16_trains(tiny_project: Project) -> None:
    tiny_project("blip2_t5", {"caption_train.precision": "bf16"})
    result, _ = train("blip2_t5", "run")
    evaluations = [row["validation_loss"] for row in result.curve if row["validation_loss"]]
    assert evaluations[-1] < evaluations[0]


def test_a_process_has_one_gpu_however_many_it_sees(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainer would make batches for all of them, and DataParallel share them out."""
    tiny_project("blip2_opt", {"device": "cuda"})
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    args = fine_tuning.make_arguments(read(Params), Path("run"), 4)
    assert (args.n_gpu, args.train_batch_size, args.gradient_accumulation_steps) == (1, 4, 2)


def test_the_workspace_of_cublas_is_fixed_before_anything_runs(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With PyTorch's own setter, which needs no GPU; the getter of a fresh process does, so its default is given."""
    if not hasattr(torch._C, "_cuda_setCublasWorkspaceSize"):
        pytest.skip("this PyTorch is built without CUDA")
    tiny_project("blip2_opt", {"device": "cuda"})
    real, default, when_loading = torch.backends.cuda.cublas_workspace_size, 33 << 20, []

    def workspace_size(size: int | None = None) -> int:
        if size is None:
            return 128 << 10 if os.environ.get("CUBLAS_WORKSPACE_CONFIG") == ":16:8" else default
        return real(size)

    def load_nothing(*_: Any) -> None:
        when_loading.append(real())
        raise UserError("stop")

    monkeypatch.setattr(torch.backends.cuda, "cublas_workspace_size", workspace_size)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(fine_tuning, "load_with_adapter", load_nothing)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with pytest.raises(UserError, match="stop"):
        train("blip2_opt", "run")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")  # as `full_determinism` does when the trainer is made
    assert [*when_loading, real()] == [default, default]


def test_parameters_reach_the_adapter_and_the_optimiser(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"lora_alpha": 24, "lora_dropout": 0.25, "use_rslora": False, "weight_decay": 0.125}
    tiny_project(
        "blip2_opt",
        {"epochs": 1, "lora_rank": 3, "lora_layers": "query-value"}
        | {f"caption_train.{name}": value for name, value in changes.items()},
    )
    groups: list[dict[str, Any]] = []
    steps = Steps([])
    steps.on_train_end = lambda args, state, control, optimizer, **kwargs: groups.extend(optimizer.param_groups)  # type: ignore[method-assign]
    with watched_by(steps, monkeypatch):
        train("blip2_opt", "run")
    config = json.loads(Path("run-adapter/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"], config["use_rslora"]) == (3, 24, 0.25, False)
    assert {group["weight_decay"] for group in groups if group["params"]} == {0.125}
    assert config["target_modules"] == r".*language_model.*\.(q_proj|v_proj)"


@pytest.mark.slow
def test_any_other_model_trains_and_resumes_to_the_same_bytes(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model with a prompt for each image (SmolVLM), in the real run."""
    project = tiny_project("blip2_opt", {"machine.device_batch_size": 4})
    shutil.rmtree(project / MODEL)
    auto_models.save("smolvlm", project / MODEL)
    whole, expected = train("auto", "whole")
    losses = [row["loss"] for row in whole.curve]
    assert losses[-1] < losses[0]
    assert len(whole.samples) == 15
    train_until("auto", "parts", "on_step_end", 5, monkeypatch)
    assert train("auto", "parts")[1] == expected


def test_a_missing_gpu_is_refused_before_anything_is_loaded(tiny_project: Project) -> None:
    tiny_project("blip2_opt", {"device": "cuda"})
    if fine_tuning.torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="device: cuda"):
        train("blip2_opt", "run")


def test_the_curve_has_a_loss_for_every_epoch(whole: Whole) -> None:
    assert [row["step"] for row in whole.result.curve if row["validation_loss"] is not None] == [3, 6, 9]
    log = checkpoints.read_log(checkpoints.find_latest(whole.project / "run"))
    assert history.find_best_evaluation(log).loss == whole.result.metrics["validation_loss"]
