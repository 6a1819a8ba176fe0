"""The training loop of all small models: AdamW, a cycle of the learning rate, clipped gradients."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from pipeline.core.progress import track


def optimise(
    parameters: Sequence[nn.Parameter],
    steps: int,
    learning_rate: float,
    warm_up: float,
    weight_decay: float,
    loss_of_step: Callable[[], torch.Tensor],
    what: str,
) -> list[float]:
    """Train with a new batch at each step.

    Args:
        parameters: The weights to train.
        steps: The number of steps.
        learning_rate: The highest learning rate.
        warm_up: The share of the steps in which the rate rises to `learning_rate`; after them it falls to almost zero.
        weight_decay: AdamW's weight decay.
        loss_of_step: Returns the loss of a new batch.
        what: The name of the training, for the progress bar.

    Returns:
        The loss of each step.
    """
    optimiser = torch.optim.AdamW(parameters, learning_rate, betas=(0.9, 0.98), weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps, pct_start=warm_up)
    losses = []
    for _ in track(range(steps), what, unit="step"):
        loss = loss_of_step()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses
