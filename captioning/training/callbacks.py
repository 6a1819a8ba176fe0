"""What happens around the steps: when to evaluate, save and stop; samples; a progress bar; DVCLive's files."""

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
from captioning.training.history import out_of_patience, samples, write_samples
from pipeline.core.errors import UserError

SAMPLES = 5  # validation items that are captioned after each epoch
SAMPLE_TOKENS = 64


class Flow(TrainerCallback):
    """Evaluates and then saves at the end of each epoch, saves every `checkpoint_steps` between, stops out of patience."""

    def __init__(self, steps_per_epoch: int, checkpoint_steps: int, patience: int) -> None:
        self.steps_per_epoch, self.checkpoint_steps, self.patience = steps_per_epoch, checkpoint_steps, patience

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        # Never before the evaluation that ends an epoch: resumed from there, that epoch would go without it.
        ends_epoch = state.global_step % self.steps_per_epoch == 0
        control.should_save = state.global_step % self.checkpoint_steps == 0 and not ends_epoch

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        control.should_evaluate = control.should_save = True

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if out_of_patience(state.log_history, self.patience):
            control.should_training_stop = True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        last = state.log_history[-1]
        loss = last.get("loss", last.get("eval_loss", 0.0))
        if not math.isfinite(loss):
            raise UserError(
                f"params.yaml: the loss is {loss} at step {state.global_step}; try a smaller lr than {args.learning_rate:g}"
            )


class Say(TrainerCallback):
    """Captions the same few validation items after each epoch. They are kept in Trainer's log, and so in checkpoints."""

    def __init__(self, captioner: Captioner, validation: CaptionedImages) -> None:
        self.captioner, self.validation = captioner, validation
        self.rows = sorted(range(len(validation)), key=lambda row: validation.ids[row])[:SAMPLES]

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        images = [self.validation.image(row) for row in self.rows]
        captions = self.captioner.family.generate(self.captioner, images, SAMPLE_TOKENS)
        said = {self.validation.ids[row]: caption.text for row, caption in zip(self.rows, captions, strict=True)}
        row: dict[str, Any] = state.log_history[-1]
        row["samples"] = said


class Bar(TrainerCallback):
    """A progress bar on a terminal, with the last training and validation loss; nothing in a log file."""

    def __init__(self) -> None:
        self.bar = tqdm(disable=True)
        self.losses: dict[str, str] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.bar = tqdm(
            desc="training",
            total=state.max_steps,
            initial=state.global_step,
            unit="step",
            dynamic_ncols=True,
            disable=None,
            leave=False,
        )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        row = state.log_history[-1]
        names = {"loss": "loss", "eval_loss": "validation_loss"}
        self.losses |= {names[key]: f"{row[key]:.3f}" for key in names if key in row}
        self.bar.set_postfix(self.losses, refresh=False)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.bar.close()


class Watch(TrainerCallback):
    """Losses and learning rate in DVCLive's format, for whoever watches the run (VS Code, `dvc plots`), and samples.

    DVCLive by default edits the root dvc.yaml, saves an experiment and posts to a server: all three are off.
    """

    def __init__(self, folder: Path, references: dict[str, str]) -> None:
        self.folder, self.references = folder, references
        os.environ["DVC_STUDIO_OFFLINE"] = "true"
        try:
            self.live = Live(str(folder), resume=False, report=None, save_dvc_exp=False, dvcyaml=None)
        except SCMError as error:
            raise UserError(f"DVCLive cannot use this git repository ({error}); make a first commit") from error

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        for row in state.log_history:  # after a resume: what this folder held beyond the checkpoint is gone
            self._write(row)
        self._write_samples(state)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._write(state.log_history[-1])

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.live.make_summary()
        self._write_samples(state)

    def _write_samples(self, state: TrainerState) -> None:
        """Beside what DVCLive writes, which has no place for words."""
        write_samples(self.folder / "samples.csv", samples(state.log_history, self.references))

    def _write(self, row: dict[str, Any]) -> None:
        names = {"loss": "loss", "learning_rate": "lr", "eval_loss": "validation_loss"}
        self.live.step = row["step"]
        for key in [key for key in names if key in row]:
            self.live.log_metric(names[key], row[key])
