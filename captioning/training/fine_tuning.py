"""A fine-tuning run from data to adapter: the work of `captioning.train` between its parameters and its outputs."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from transformers import TrainingArguments, set_seed

from captioning.modelling import (
    DTYPES,
    Captioner,
    apply_lora,
    checkpoint_activations,
    describe,
    describe_image_tokens,
    load,
)
from captioning.training import checkpoints, history
from captioning.training.batch_size import choose_device_batch_size, explain_out_of_memory
from captioning.training.callbacks import EvaluateEachEpoch, LiveLog, ProgressBar, SampleCaptions
from captioning.training.examples import CaptionedImages, load_splits
from captioning.training.schedule import make_cosine_schedule
from captioning.training.sharding import shard
from captioning.training.trainer import SECONDS_FILE, CaptionTrainer
from pipeline.core.errors import UserError
from pipeline.processes import local_rank, rank

if TYPE_CHECKING:
    from captioning.training.settings import Params

Value = TypeVar("Value")


@dataclass(frozen=True)
class Result:
    """A finished run: `best` is the checkpoint of the best epoch, `seconds_before` was spent before the last resume."""

    best: Path
    curve: list[dict[str, float | None]]
    samples: list[dict[str, Any]]
    metrics: dict[str, Any]
    seconds_before: float


def fine_tune(model: Path, family: str, items: Path, images: Path, params: "Params", folder: Path) -> Result:
    """Trains to the end, from the last checkpoint of `folder` if there is one; every process that shares it calls this.

    Args:
        model: folder of the pre-trained captioner.
        family: name of a module in `captioning.families`.
        items: data/prepared/items.parquet.
        images: data/prepared/images.
        params: of the stage.
        folder: of the checkpoints; the caller (of process 0) holds its lock.

    Raises:
        UserError: no such device, or unusable inputs, or not enough memory, or the loss is no longer a number.
    """
    prepare_torch(params)
    with explain_out_of_memory(params.machine.device_batch_size):
        captioner = load_with_adapter(model, family, params)
        if rank() == 0:
            print(f"{model.name}: {describe_image_tokens(captioner)}", flush=True)
        training, validation = load_splits(captioner, model, items, images, params, folder)
        size = decide_on_process_0(lambda: choose_device_batch_size(captioner, training, params, folder), params)
    with explain_out_of_memory(size):
        return _train(captioner, training, validation, params, folder, size)


def _train(
    captioner: Captioner,
    training: CaptionedImages,
    validation: CaptionedImages,
    params: "Params",
    folder: Path,
    size: int,
) -> Result:
    checkpoint = decide_on_process_0(lambda: checkpoints.find_latest(folder), params)
    before = json.loads((checkpoint / SECONDS_FILE).read_text())["seconds"] if checkpoint else 0.0
    if checkpoint and rank() == 0:
        print(f"resuming from {checkpoint}, after {before:.0f} s of training", flush=True)
    trainer = make_trainer(captioner, training, validation, params, folder, before, size)
    steps = params.epochs * count_steps_per_epoch(len(training), params.batch_size)
    patience = params.caption_train.patience
    if checkpoint is None or not history.is_finished(checkpoints.read_log(checkpoint), steps, patience):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        checkpoint = decide_on_process_0(lambda: checkpoints.find_latest(folder), params)
    if checkpoint is None:
        raise UserError(f"{folder}: every checkpoint is damaged; check the disk and run `dvc repro` again")
    log = checkpoints.read_log(checkpoint)
    result = Result(
        checkpoints.find_best(checkpoint),
        history.make_curve(log, steps),
        history.collect_samples(log, validation.references),
        collect_metrics(log, captioner, training, validation)
        | {"device_batch_size": size, "processes": params.machine.processes, "threads": params.machine.threads},
        before,
    )
    trainer.accelerator.wait_for_everyone()  # process 0 will remove the checkpoints
    return result


def prepare_torch(params: "Params") -> None:
    """Chooses this process's GPU and its number of threads.

    Raises:
        UserError: PyTorch finds no GPU, or fewer GPUs than processes.
    """
    if params.device == "cuda" and not torch.cuda.is_available():
        raise UserError("params.yaml: device: cuda, but PyTorch finds no GPU here; use device: cpu")
    if params.device == "cuda":
        if local_rank() >= torch.cuda.device_count():
            raise UserError(
                f"params.yaml: machine.processes: {params.machine.processes}, one for each GPU, but PyTorch finds "
                f"{torch.cuda.device_count()} here; use fewer processes"
            )
        torch.cuda.set_device(local_rank())
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # only costs time
    torch.set_num_threads(params.machine.threads)


def choose_device(params: "Params") -> torch.device:
    """Returns this process's own device."""
    return torch.device("cuda", local_rank()) if params.device == "cuda" else torch.device("cpu")


def decide_on_process_0(decide: Callable[[], Value], params: "Params") -> Value:
    """Calls `decide` on process 0 alone, which may read and remove files, and returns its value on every process."""
    if params.machine.processes == 1:
        return decide()
    PartialState(cpu=params.device == "cpu")  # the process group, if this is the first time
    values = [decide() if rank() == 0 else None]
    return broadcast_object_list(values)[0]


def load_with_adapter(model: Path, family: str, params: "Params") -> Captioner:
    """Loads the captioner and adds a fresh adapter, which depends on the seed alone."""
    section = params.caption_train
    sharded = section.sharding == "fsdp"
    device = torch.device("cpu") if sharded else choose_device(params)
    captioner = load(model, family, DTYPES[section.precision], device, quantization=section.quantization)
    set_seed(params.seed)
    captioner = apply_lora(
        captioner,
        params.lora_layers,
        params.lora_rank,
        section.lora_alpha,
        section.lora_dropout,
        section.use_rslora,
        section.lora_scope,
    )
    if section.gradient_checkpointing:
        checkpoint_activations(captioner)
    if sharded:
        PartialState(cpu=params.device == "cpu")
        shard(captioner, choose_device(params))
    return captioner


def make_trainer(
    captioner: Captioner,
    training: CaptionedImages,
    validation: CaptionedImages,
    params: "Params",
    folder: Path,
    seconds_before: float = 0.0,
    size: int | None = None,
) -> CaptionTrainer:
    """Makes the trainer of a run.

    Args:
        captioner: with its adapter.
        training: data of the training split.
        validation: data of the validation split.
        params: of the stage.
        folder: of the checkpoints.
        seconds_before: the time that the run took before it was resumed.
        size: the batch size of the device; default: `device_batch_size` of the parameters, which must be a number.
    """
    section = params.caption_train
    steps_per_epoch = count_steps_per_epoch(len(training), params.batch_size)
    start = time.perf_counter()
    logs = [ProgressBar(), LiveLog(folder / "live", validation.references)] if rank() == 0 else []
    evaluate = EvaluateEachEpoch(steps_per_epoch, params.machine.checkpoint_steps, section.patience)
    return CaptionTrainer(
        captioner,
        make_arguments(params, folder, size or int(params.machine.device_batch_size)),
        training,
        validation,
        make_cosine_schedule(params.epochs * steps_per_epoch, params.lr, section.lr_min, section.warmup),
        [evaluate, SampleCaptions(captioner, validation), *logs],
        lambda: seconds_before + time.perf_counter() - start,
    )


def make_arguments(params: "Params", folder: Path, size: int) -> TrainingArguments:
    """Makes Trainer's arguments: it logs every step; `EvaluateEachEpoch` decides when to evaluate and save."""
    section = params.caption_train
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=params.epochs,
        per_device_train_batch_size=size,
        per_device_eval_batch_size=size,
        gradient_accumulation_steps=params.batch_size // size // params.machine.processes,
        learning_rate=params.lr,
        weight_decay=section.weight_decay,
        optim="adamw_torch",
        max_grad_norm=1.0,
        seed=params.seed,
        full_determinism=params.device == "cuda",
        use_cpu=params.device == "cpu",
        bf16=section.precision == "bf16",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=False,
        ddp_find_unused_parameters=section.lora_scope == "all",  # LLaVA does not use its tower's last layer
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # Trainer would make batches for all GPUs; each process has one
    return arguments


def count_steps_per_epoch(items: int, batch_size: int) -> int:
    """Counts the optimiser steps of an epoch; the last step may see fewer items."""
    return math.ceil(items / batch_size)


def collect_metrics(
    log: history.Log, captioner: Captioner, training: CaptionedImages, validation: CaptionedImages
) -> dict[str, Any]:
    """Collects a run's metrics: losses are means over supervised tokens, `loss` over the steps of the best epoch."""
    lowest, epochs = history.find_best_evaluation(log), history.list_evaluations(log)
    assert lowest is not None
    first = 1 + max((epoch.step for epoch in epochs if epoch.step < lowest.step), default=0)
    return {
        "loss": history.compute_training_loss(log, first, lowest.step),
        "validation_loss": lowest.loss,
        "best_epoch": lowest.epoch,
        "epochs": len(epochs),
        "steps": epochs[-1].step,
        "training_items": len(training),
        "validation_items": len(validation),
        "trainable_parameters": sum(p.numel() for p in captioner.model.parameters() if p.requires_grad),
        **describe(captioner),
    }
