"""A fine-tuning run from data to adapter: the work of `captioning.train` between its parameters and its outputs."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch.distributed.device_mesh import DeviceMesh
from transformers import TrainingArguments, set_seed

from captioning.modelling import DTYPES, Captioner, apply_lora, checkpoint_activations, describe, describe_image_tokens
from captioning.modelling.loading import check_device, load
from captioning.training import checkpoints, history
from captioning.training.batch_size import choose_device_batch_size, explain_out_of_memory, try_longest
from captioning.training.callbacks import EvaluateEachEpoch, LiveLog, ProgressBar, SampleCaptions
from captioning.training.examples import CaptionedImages, load_splits
from captioning.training.schedule import make_cosine_schedule
from captioning.training.sharding import make_mesh, shard, take_turns
from captioning.training.trainer import SECONDS_FILE, CaptionTrainer
from pipeline.core.errors import UserError
from pipeline.processes import local_rank, rank

if TYPE_CHECKING:
    from captioning.training.settings import Params

Value = TypeVar("Value")
PATIENCE = timedelta(hours=2)  # of a process for the others, such as for one that searches the batch size


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        best: The checkpoint of the best epoch.
        curve: Of losses and learning rate.
        samples: Captions of the same items after each epoch.
        metrics: Of the run.
        seconds_before: What was spent before the last resume.
        epochs: Epoch -> a folder with its adapter; empty unless `keep_epochs`.
    """

    best: Path
    curve: list[dict[str, float | None]]
    samples: list[dict[str, Any]]
    metrics: dict[str, Any]
    seconds_before: float
    epochs: dict[int, Path] = field(default_factory=dict)


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
        with take_turns_if_sharded(params, folder) as mesh:
            captioner = load_with_adapter(model, family, params, mesh)
        if rank() == 0:
            print(f"{model.name}: {describe_image_tokens(captioner)}", flush=True)
        training, validation = load_splits(captioner, model, items, images, params, folder)
        size = decide_on_process_0(lambda: choose_device_batch_size(captioner, training, params, folder), params)
    with explain_out_of_memory(size, params.machine.device_batch_size == "auto"):
        try_longest(captioner, training, size, params.caption_train.precision == "bf16")
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
        checkpoints.find_epochs(checkpoint) if params.caption_train.keep_epochs else {},
    )
    trainer.accelerator.wait_for_everyone()  # process 0 will remove the checkpoints
    return result


def prepare_torch(params: "Params") -> None:
    """Chooses this process's GPU, its workspace, and the number of threads; before anything else runs on a GPU.

    Raises:
        UserError: PyTorch finds no GPU, or fewer GPUs than processes.
    """
    check_device(choose_device(params))
    if params.device == "cuda":
        torch.cuda.set_device(local_rank())
        pin_workspace()
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # only costs time
    torch.set_num_threads(params.machine.threads)


def pin_workspace() -> None:
    """Keeps the size of cuBLAS' workspace that this GPU has by default, to which that of cuBLASLt is limited too.

    transformers' `full_determinism` sets CUBLAS_WORKSPACE_CONFIG to 128 KiB, where a Hopper has 32 MiB. It does so when
    the trainer is made: after a first run has computed image features, before a resumed run computes anything, so that
    the two would compute by other kernels. A size that was set comes before that variable.
    """
    torch.backends.cuda.cublas_workspace_size(torch.backends.cuda.cublas_workspace_size())


def choose_device(params: "Params") -> torch.device:
    """Returns this process's own device."""
    return torch.device("cuda", local_rank()) if params.device == "cuda" else torch.device("cpu")


def decide_on_process_0(decide: Callable[[], Value], params: "Params") -> Value:
    """Calls `decide` on process 0 alone, which may read and remove files, and returns its value on every process."""
    if params.machine.processes == 1:
        return decide()
    connect(params)
    values = [decide() if rank() == 0 else None]
    return broadcast_object_list(values)[0]


def connect(params: "Params") -> None:
    """Makes the process group, if this is the first time, and waits for all: NCCL takes its memory now, not later."""
    PartialState(cpu=params.device == "cpu", timeout=PATIENCE).wait_for_everyone()


@contextmanager
def take_turns_if_sharded(params: "Params", folder: Path) -> Iterator[DeviceMesh | None]:
    """Yields the mesh of processes that share weights, to one of a machine at a time; else None, to all at once."""
    if params.machine.sharding == "none":
        yield None
        return
    connect(params)
    mesh = make_mesh(choose_device(params))
    with take_turns(folder / "loading.lock"):
        yield mesh


def load_with_adapter(model: Path, family: str, params: "Params", mesh: DeviceMesh | None = None) -> Captioner:
    """Loads the captioner and adds a fresh adapter, which depends on the seed alone.

    Args:
        model: folder of the pre-trained captioner.
        family: name of a module in `captioning.families`.
        params: of the stage.
        mesh: of the processes that share the weights, if they do.
    """
    section = params.caption_train
    device = torch.device("cpu") if mesh else choose_device(params)
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
    if params.machine.gradient_checkpointing:
        checkpoint_activations(captioner)
    if mesh:
        shard(captioner, choose_device(params), mesh)
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
        section.keep_epochs,
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
