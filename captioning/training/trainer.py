"""transformers' Trainer with a token-weighted loss, our schedule and order, and checkpoints whole or absent."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch.utils.data import Dataset, Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from captioning.modelling import Captioner
from captioning.training.checkpoints import STATE, new_checkpoint
from captioning.training.examples import CaptionedImages, make_collator
from captioning.training.loss import count_supervised, sum_loss
from captioning.training.order import EpochOrder, PaddedOrder
from captioning.training.sharding import average_gradients, is_sharded
from pipeline.processes import check_number

SECONDS_FILE = "seconds.json"  # how long a run had taken at a checkpoint


class CaptionTrainer(Trainer):
    """Fine-tunes a captioner, with the same result for any split of the effective batch and resumed at any checkpoint.

    Several processes take turns at the parts of an effective batch, and all of them have the same log.

    Args:
        captioner: with its adapter, from `captioning.modelling.apply_lora`.
        args: of transformers' Trainer.
        training: data of the training split.
        validation: data of the validation split.
        factor: learning rate of a step as a share of `args.learning_rate`.
        callbacks: see `captioning.training.callbacks`.
        seconds: how long this run has taken so far, parts before a resume included.
        keep_epochs: keeps the adapter of each epoch.
    """

    loss_is_scaled_for_ga = True  # the loss is divided by the tokens of the whole effective batch

    def __init__(
        self,
        captioner: Captioner,
        args: TrainingArguments,
        training: CaptionedImages,
        validation: CaptionedImages,
        factor: Callable[[int], float],
        callbacks: list[TrainerCallback],
        seconds: Callable[[], float],
        keep_epochs: bool = False,
    ) -> None:
        super().__init__(
            model=captioner.model,
            args=args,
            train_dataset=training,
            eval_dataset=validation,
            data_collator=make_collator(captioner.pad_id),
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)  # it prints every logged row
        self.captioner = captioner
        self.training = training
        self.factor = factor
        self.seconds = seconds
        self.keep_epochs = keep_epochs
        check_number(self.accelerator.num_processes)
        if self.args.process_index:  # whose dropout would else leave out the same units as process 0's
            torch.manual_seed(self.args.seed + self.args.process_index)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Creates the schedule that multiplies the learning rate by `factor`."""
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, self.factor)  # type: ignore[arg-type]
        return self.lr_scheduler

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        parts = self.args.gradient_accumulation_steps * self.accelerator.num_processes
        batch_size = self.args.per_device_train_batch_size * parts
        self.order = EpochOrder(self.training.lengths, batch_size, self.args.seed)
        return self._pad_for_processes(self.order)

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Sampler[int]:
        return self._pad_for_processes(range(len(eval_dataset)))  # type: ignore[arg-type]

    def _pad_for_processes(self, order: EpochOrder | range) -> Sampler[int]:
        processes = self.accelerator.num_processes
        return PaddedOrder(order, self.args.per_device_train_batch_size * processes if processes > 1 else 1)

    def _run_epoch(self, *, epoch: int, **kwargs: Any) -> None:  # type: ignore[override]
        """Sets the order's epoch first: accelerate does not when several processes resume in the middle of an epoch."""
        self.order.set_epoch(epoch)
        super()._run_epoch(epoch=epoch, **kwargs)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Loads the adapter onto this process's own device; by default, peft loads every process's onto the first GPU.

        Args:
            resume_from_checkpoint: the folder of a checkpoint, which `checkpoints.find_latest` has checked.
            model: not used.
        """
        adapter, device = self.captioner.model, str(self.captioner.base.device)
        adapter.load_adapter(resume_from_checkpoint, adapter.active_adapter, is_trainable=True, torch_device=device)

    def _sync_replicated_trainable_parameters(self, model: Any) -> None:
        """Does nothing: the seed makes every process's adapter the same, and `training_step` averages its gradients."""

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Computes the gradients of a part of the batch; after its last part, sharded processes average them."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if is_sharded(self.captioner) and self.accelerator.sync_gradients:
            average_gradients(model)
        return loss

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Returns the parts of the next effective batch, and the number of their supervised tokens on all devices."""
        parts = [part for _, part in zip(range(num_batches), epoch_iterator, strict=False)]
        tokens = sum((count_supervised(part["labels"]) for part in parts), torch.tensor(0)).to(device)
        return parts, self.accelerator.gather(tokens).sum()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Computes this part's share of the mean over the effective batch; the shares of all parts add up to it."""
        tokens = count_supervised(inputs["labels"]) if num_items_in_batch is None else num_items_in_batch
        # Gradients of several processes are averaged, hence the factor.
        return sum_loss(self.captioner, model, inputs) / tokens * self.accelerator.num_processes

    @torch.no_grad()
    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Computes the mean loss over all supervised tokens of the validation split, not a mean of batch means."""
        self.captioner.model.eval()
        sums = torch.zeros(2, dtype=torch.float64, device=self.args.device)  # loss, tokens
        for batch in self.get_eval_dataloader(eval_dataset):
            batch = self._prepare_inputs(batch)
            loss = sum_loss(self.captioner, self.captioner.model, batch)
            sums += torch.stack([loss, count_supervised(batch["labels"])]).to(sums)
        sums = self.accelerator.reduce(sums, "sum")
        metrics = {f"{metric_key_prefix}_loss": (sums[0] / sums[1]).item()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Saves a checkpoint: process 0 writes the common files, every process the state of its own random numbers.

        Process 0 tells the others which folder it opened, since each attempt has a name of its own.
        """
        root, step, first = Path(str(self.args.output_dir)), self.state.global_step, self.args.process_index == 0
        with new_checkpoint(root, step, self.keep_epochs) if first else nullcontext(root) as opened:
            (folder,) = broadcast_object_list([str(opened)])
            self._save_rng_state(folder)
            if first:
                self._save_common(Path(folder))
            self.accelerator.wait_for_everyone()
            if first:
                _check_states(Path(folder), self.args.world_size)
        self.accelerator.wait_for_everyone()

    def _save_common(self, folder: Path) -> None:
        self.captioner.model.save_pretrained(folder)
        self._save_optimizer_and_scheduler(str(folder))
        self.state.save_to_json(str(folder / STATE))
        (folder / SECONDS_FILE).write_text(json.dumps({"seconds": self.seconds()}), encoding="utf-8")


def _check_states(folder: Path, processes: int) -> None:
    """Check that a checkpoint has the state of the random numbers of each process, which Trainer does not miss.

    Raises:
        RuntimeError: some are not there, as where machines do not share their disk.
    """
    states = len(list(folder.glob("rng_state*")))
    if states != processes:
        raise RuntimeError(
            f"{folder}: has the random state of {states} of {processes} processes; all machines must see this folder"
        )
