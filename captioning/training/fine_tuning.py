"""One fine-tuning run from data to adapter: what `captioning.train` does between its parameters and its outputs."""

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

from captioning.modelling import DTYPES, Captioner, apply_lora, checkpoint_activations, facts, load
from captioning.training import checkpoints, history
from captioning.training.batch_size import device_batch_size, named_out_of_memory
from captioning.training.callbacks import Bar, Flow, Say, Watch
from captioning.training.examples import CaptionedImages, splits
from captioning.training.schedule import cosine
from captioning.training.sharding import shard
from captioning.training.trainer import SPENT, CaptionTrainer
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder
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
    """Trains to the end, from the last checkpoint of `folder` if there is one; called in every process that shares it.

    Args:
        model: folder of the captioner as it comes.
        folder: of the checkpoints; the caller (of process 0) holds its lock.

    Raises:
        UserError: no such device, or unusable inputs, or not enough memory, or the loss is no longer a number.
    """
    prepare_torch(params)
    with named_out_of_memory(params.caption_train.device_batch_size):
        captioner = adapted(model, family, params)
        training, validation = splits(captioner, model, items, images, params, folder)
        size = agreed(lambda: device_batch_size(captioner, training, params, folder), params)
    with named_out_of_memory(size):
        return _trained(captioner, training, validation, params, folder, size)


def _trained(
    captioner: Captioner,
    training: CaptionedImages,
    validation: CaptionedImages,
    params: "Params",
    folder: Path,
    size: int,
) -> Result:
    checkpoint = agreed(lambda: checkpoints.latest(folder), params)
    before = json.loads((checkpoint / SPENT).read_text())["seconds"] if checkpoint else 0.0
    if checkpoint and rank() == 0:
        print(f"resuming from {checkpoint}, after {before:.0f} s of training", flush=True)
    trainer = make_trainer(captioner, training, validation, params, folder, before, size)
    steps = params.epochs * steps_an_epoch(len(training), params.batch_size)
    if checkpoint is None or not history.finished(checkpoints.log_of(checkpoint), steps, params.caption_train.patience):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        checkpoint = agreed(lambda: checkpoints.latest(folder), params)
    if checkpoint is None:
        raise UserError(f"{folder}: every checkpoint is damaged; check the disk and run `dvc repro` again")
    log = checkpoints.log_of(checkpoint)
    result = Result(
        checkpoints.best_of(checkpoint),
        history.curve(log, steps),
        history.samples(log, validation.references),
        figures(log, captioner, [training, validation]) | {"device_batch_size": size},
        before,
    )
    trainer.accelerator.wait_for_everyone()  # process 0 will remove the checkpoints
    return result


def prepare_torch(params: "Params") -> None:
    if params.device == "cuda" and not torch.cuda.is_available():
        raise UserError("params.yaml: device: cuda, but PyTorch finds no GPU here; use device: cpu")
    if params.device == "cuda":
        if local_rank() >= torch.cuda.device_count():
            raise UserError(
                f"params.yaml: processes: {params.processes}, one for each GPU, but PyTorch finds {torch.cuda.device_count()} "
                "here; use fewer processes"
            )
        torch.cuda.set_device(local_rank())
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # only costs time
    torch.set_num_threads(params.threads)


def device_of(params: "Params") -> torch.device:
    """This process's own."""
    return torch.device("cuda", local_rank()) if params.device == "cuda" else torch.device("cpu")


def agreed(decide: Callable[[], Value], params: "Params") -> Value:
    """What process 0 decides, in every process; only that one looks, and only that one tidies up."""
    if params.processes == 1:
        return decide()
    PartialState(cpu=params.device == "cpu")  # the process group, if this is the first time
    found = [decide() if rank() == 0 else None]
    return broadcast_object_list(found)[0]


def adapted(model: Path, family: str, params: "Params") -> Captioner:
    """The captioner with a fresh adapter, which depends on the seed alone."""
    section = params.caption_train
    sharded = section.sharding == "fsdp"
    place = torch.device("cpu") if sharded else device_of(params)
    captioner = load(model, family, DTYPES[section.precision], place, quantization=section.quantization)
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
        shard(captioner, device_of(params))
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
    """`size` is the device's batch size; where it is not given, the parameters must say it."""
    section = params.caption_train
    an_epoch = steps_an_epoch(len(training), params.batch_size)
    start = time.perf_counter()
    watching = [Bar(), Watch(folder / "live", validation.references)] if rank() == 0 else []
    return CaptionTrainer(
        captioner,
        arguments(params, folder, size or int(section.device_batch_size)),
        training,
        validation,
        cosine(params.epochs * an_epoch, params.lr, section.lr_min, section.warmup),
        [Flow(an_epoch, section.checkpoint_steps, section.patience), Say(captioner, validation), *watching],
        lambda: seconds_before + time.perf_counter() - start,
    )


def arguments(params: "Params", folder: Path, size: int) -> TrainingArguments:
    """Logs every step (the log is what best epoch and curve come from); evaluation and saving are `Flow`'s."""
    section = params.caption_train
    made = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=params.epochs,
        per_device_train_batch_size=size,
        per_device_eval_batch_size=size,
        gradient_accumulation_steps=params.batch_size // size // params.processes,
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
    made._n_gpu = min(made.n_gpu, 1)  # Trainer would make batches for all GPUs that it sees; each process has one
    return made


def steps_an_epoch(items: int, batch_size: int) -> int:
    """Optimiser steps; the last one of an epoch may see fewer items."""
    return math.ceil(items / batch_size)


def figures(log: history.Log, captioner: Captioner, data: list[CaptionedImages]) -> dict[str, Any]:
    """For metrics/train: losses are means over supervised tokens, `loss` that of the steps of the best epoch."""
    lowest, epochs = history.best(log), history.evaluations(log)
    assert lowest is not None
    first = 1 + max((one.step for one in epochs if one.step < lowest.step), default=0)
    return {
        "loss": history.training_loss(log, first, lowest.step),
        "validation_loss": lowest.loss,
        "best_epoch": lowest.epoch,
        "epochs": len(epochs),
        "steps": epochs[-1].step,
        "training_items": len(data[0]),
        "validation_items": len(data[1]),
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
