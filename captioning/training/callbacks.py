"""Trainer callbacks: evaluation schedule, sample captions, progress bar, DVCLive."""

import math
import os
from pathlib import Path
from typing import Any

from dvclive import Live
from scmrepo.exceptions import SCMError
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from captioning.modelling import Captioner
from captioning.training.examples import CaptionedImages
from captioning.training.history import collect_samples, is_out_of_patience, write_samples
from pipeline.core.errors import UserError

SAMPLES = 5  # validation items that are captioned after each epoch
SAMPLE_TOKENS = 64


class EvaluateEachEpoch(TrainerCallback):
    """Evaluates and then saves at the end of each epoch, saves every `checkpoint_steps`, stops out of patience."""

    def __init__(self, steps_per_epoch: int, checkpoint_steps: int, patience: int) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.checkpoint_steps = checkpoint_steps
        self.patience = patience

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Saves every `checkpoint_steps`, but not at the end of an epoch: a run resumed there would not evaluate it."""
        ends_epoch = state.global_step % self.steps_per_epoch == 0
        control.should_save = state.global_step % self.checkpoint_steps == 0 and not ends_epoch

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Evaluates and saves."""
        control.should_evaluate = control.should_save = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Stops when the last `patience` epochs were no better."""
        if is_out_of_patience(state.log_history, self.patience):
            control.should_training_stop = True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Refuses a loss that is not a number.

        Raises:
            UserError: the learning rate is too large.
        """
        last = state.log_history[-1]
        loss = last.get("loss", last.get("eval_loss", 0.0))
        if not math.isfinite(loss):
            raise UserError(
                f"params.yaml: the loss is {loss} at step {state.global_step}; "
                f"try a smaller lr than {args.learning_rate:g}"
            )


class SampleCaptions(TrainerCallback):
    """Captions the same few validation items after each epoch, into Trainer's log, which checkpoints hold."""

    def __init__(self, captioner: Captioner, validation: CaptionedImages) -> None:
        self.captioner = captioner
        self.validation = validation
        self.rows = sorted(range(len(validation)), key=lambda row: validation.ids[row])[:SAMPLES]

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Adds the samples to the log's row of this evaluation."""
        images = [self.validation.read_image(row) for row in self.rows]
        captions = self.captioner.family.generate(self.captioner, images, SAMPLE_TOKENS)
        samples = {self.validation.ids[row]: caption.text for row, caption in zip(self.rows, captions, strict=True)}
        log_row: dict[str, Any] = state.log_history[-1]
        log_row["samples"] = samples


class ProgressBar(TrainerCallback):
    """Shows progress with the last training and validation loss on a terminal, and nothing in a log file."""

    def __init__(self) -> None:
        self.bar = tqdm(disable=True)
        self.losses: dict[str, str] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Opens the bar at the step from which training resumes."""
        self.bar = tqdm(
            desc="training",
            total=state.max_steps,
            initial=state.global_step,
            unit="step",
            dynamic_ncols=True,
            disable=None,
            leave=False,
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Moves the bar to this step."""
        self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Shows the last losses."""
        row = state.log_history[-1]
        names = {"loss": "loss", "eval_loss": "validation_loss"}
        self.losses |= {names[key]: f"{row[key]:.3f}" for key in names if key in row}
        self.bar.set_postfix(self.losses, refresh=False)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Removes the bar."""
        self.bar.close()


class LiveLog(TrainerCallback):
    """Writes losses, learning rate and samples while a run lasts, in DVCLive's format (VS Code, `dvc plots`).

    DVCLive by default edits the root dvc.yaml, saves an experiment and posts to a server: all three are off.
    """

    def __init__(self, folder: Path, references: dict[str, str]) -> None:
        self.folder = folder
        self.references = references
        os.environ["DVC_STUDIO_OFFLINE"] = "true"
        try:
            self.live = Live(str(folder), resume=False, report=None, save_dvc_exp=False, dvcyaml=None)
        except SCMError as error:
            raise UserError(f"DVCLive cannot use this git repository ({error}); make a first commit") from error

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Writes the log up to the checkpoint again: after a resume, later rows of this folder are gone."""
        for row in state.log_history:
            self._write(row)
        self._write_samples(state)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Writes the last row of the log."""
        self._write(state.log_history[-1])

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Writes DVCLive's summary and the samples so far."""
        self.live.make_summary()
        self._write_samples(state)

    def _write_samples(self, state: TrainerState) -> None:
        """Writes samples beside DVCLive's files, which hold no text."""
        write_samples(self.folder / "samples.csv", collect_samples(state.log_history, self.references))

    def _write(self, row: dict[str, Any]) -> None:
        names = {"loss": "loss", "learning_rate": "lr", "eval_loss": "validation_loss"}
        self.live.step = row["step"]
        for key in [key for key in names if key in row]:
            self.live.log_metric(names[key], row[key])
