"""One fine-tuning run from data to adapter: what `captioning.train` does between its parameters and its outputs."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainingArguments, set_seed

from captioning.modelling import DTYPES, Captioner, apply_lora, facts, load
from captioning.training import checkpoints, curves
from captioning.training.callbacks import Bar, Flow, Watch
from captioning.training.data import CaptionedImages, read_split
from captioning.training.schedule import cosine
from captioning.training.trainer import SPENT, CaptionTrainer
from catalogue.images import ImageStore
from pipeline.errors import UserError
from pipeline.outputs import new_folder

if TYPE_CHECKING:
    from captioning.train import Params


@dataclass(frozen=True)
class Result:
    """A finished run: `best` is the checkpoint of the best epoch, `seconds_before` was spent before the last resume."""

    best: Path
    curve: list[dict[str, float | None]]
    metrics: dict[str, Any]
    seconds_before: float


def fine_tune(model: Path, family: str, items: Path, images: Path, params: "Params", folder: Path) -> Result:
    """Trains to the end, from the last checkpoint of `folder` if there is one.

    Args:
        model: folder of the captioner as it comes.
        folder: of the checkpoints; the caller holds its lock.

    Raises:
        UserError: no such device, or unusable inputs, or the loss is no longer a number.
    """
    prepare_torch(params)
    store, dtype = ImageStore(images), DTYPES[params.caption_train.precision]
    captioner = adapted(model, family, params)
    splits = [CaptionedImages(captioner, store, read_split(items, split), dtype) for split in ("train", "validation")]
    checkpoint = checkpoints.latest(folder)
    before = json.loads((checkpoint / SPENT).read_text())["seconds"] if checkpoint else 0.0
    if checkpoint:
        print(f"resuming from {checkpoint}, after {before:.0f} s of training", flush=True)
    trainer = make_trainer(captioner, splits[0], splits[1], params, folder, before)
    steps = params.epochs * steps_an_epoch(len(splits[0]), params.batch_size)
    if checkpoint is None or not curves.finished(checkpoints.log_of(checkpoint), steps, params.caption_train.patience):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        checkpoint = checkpoints.latest(folder)
    if checkpoint is None:
        raise UserError(f"{folder}: every checkpoint is damaged; check the disk and run `dvc repro` again")
    log = checkpoints.log_of(checkpoint)
    return Result(checkpoints.best_of(checkpoint), curves.curve(log, steps), figures(log, captioner, splits), before)


def prepare_torch(params: "Params") -> None:
    if params.device == "cuda" and not torch.cuda.is_available():
        raise UserError("params.yaml: device: cuda, but PyTorch finds no GPU here; use device: cpu")
    torch.set_num_threads(params.threads)


def adapted(model: Path, family: str, params: "Params") -> Captioner:
    """The captioner with a fresh adapter, which depends on the seed alone."""
    section = params.caption_train
    captioner = load(model, family, DTYPES[section.precision], params.device)
    set_seed(params.seed)
    return apply_lora(
        captioner,
        params.lora_layers,
        params.lora_rank,
        section.lora_alpha,
        section.lora_dropout,
        section.use_rslora,
        section.lora_scope,
    )


def make_trainer(
    captioner: Captioner,
    training: CaptionedImages,
    validation: CaptionedImages,
    params: "Params",
    folder: Path,
    seconds_before: float = 0.0,
) -> CaptionTrainer:
    section = params.caption_train
    an_epoch = steps_an_epoch(len(training), params.batch_size)
    start = time.perf_counter()
    return CaptionTrainer(
        captioner,
        arguments(params, folder),
        training,
        validation,
        cosine(params.epochs * an_epoch, params.lr, section.lr_min, section.warmup),
        [Flow(an_epoch, section.checkpoint_steps, section.patience), Bar(), Watch(folder / "live")],
        lambda: seconds_before + time.perf_counter() - start,
    )


def arguments(params: "Params", folder: Path) -> TrainingArguments:
    """Logs every step (the log is what best epoch and curve come from); evaluation and saving are `Flow`'s."""
    section = params.caption_train
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=params.epochs,
        per_device_train_batch_size=section.device_batch_size,
        per_device_eval_batch_size=section.device_batch_size,
        gradient_accumulation_steps=params.batch_size // section.device_batch_size,
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
    )


def steps_an_epoch(items: int, batch_size: int) -> int:
    """Optimiser steps; the last one of an epoch may see fewer items."""
    return math.ceil(items / batch_size)


def figures(log: curves.Log, captioner: Captioner, splits: list[CaptionedImages]) -> dict[str, Any]:
    """For metrics/train: losses are means over supervised tokens, `loss` that of the steps of the best epoch."""
    lowest, epochs = curves.best(log), curves.evaluations(log)
    assert lowest is not None
    first = 1 + max((one.step for one in epochs if one.step < lowest.step), default=0)
    return {
        "loss": curves.training_loss(log, first, lowest.step),
        "validation_loss": lowest.loss,
        "best_epoch": lowest.epoch,
        "epochs": len(epochs),
        "steps": epochs[-1].step,
        "training_items": len(splits[0]),
        "validation_items": len(splits[1]),
        "trainable_parameters": sum(p.numel() for p in captioner.model.parameters() if p.requires_grad),
        **facts(captioner),
    }


def write_adapter(checkpoint: Path, folder: Path, model: Path) -> None:
    """The adapter of a checkpoint, its config without what differs between machines."""
    config = json.loads((checkpoint / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = model.as_posix()
    with new_folder(folder) as partial:
        (partial / "adapter_model.safetensors").write_bytes((checkpoint / "adapter_model.safetensors").read_bytes())
        text = json.dumps(config, indent=2, sort_keys=True) + "\n"
        (partial / "adapter_config.json").write_text(text, encoding="utf-8")
