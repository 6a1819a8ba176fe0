"""What happens around the steps: when to evaluate, save and stop; a progress bar; DVCLive's files."""

import math
import os
from pathlib import Path
from typing import Any

from dvclive import Live
from scmrepo.exceptions import SCMError
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from captioning.training.curves import out_of_patience
from pipeline.errors import UserError


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
    """Losses and learning rate in DVCLive's format, for whoever watches the run (VS Code, `dvc plots`).

    DVCLive by default edits the root dvc.yaml, saves an experiment and posts to a server: all three are off.
    """

    def __init__(self, folder: Path) -> None:
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

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._write(state.log_history[-1])

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.live.make_summary()

    def _write(self, row: dict[str, Any]) -> None:
        names = {"loss": "loss", "learning_rate": "lr", "eval_loss": "validation_loss"}
        self.live.step = row["step"]
        for key in [key for key in names if key in row]:
            self.live.log_metric(names[key], row[key])
