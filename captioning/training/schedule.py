"""The learning rate of every optimiser step: a linear warmup, then one half cosine down to its lowest value."""

import math
from collections.abc import Callable


def make_cosine_schedule(steps: int, rate: float, lowest: float, warmup: float) -> Callable[[int], float]:
    """Returns the factor of `rate` for each step, for LambdaLR: the last step, `steps - 1`, has exactly `lowest`.

    Beyond the last step it stays there: a cosine that goes on (`T_max` smaller than the run) would rise again.

    >>> factor = make_cosine_schedule(steps=5, rate=1.0, lowest=0.0, warmup=0.0)
    >>> [round(factor(step), 3) for step in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]

    Args:
        steps: optimiser steps of the whole run.
        rate: the highest learning rate, reached when the warmup ends.
        lowest: the learning rate of the last step.
        warmup: share of the steps in which the rate grows linearly from 0.
    """
    rising = round(warmup * steps)
    falling = steps - 1 - rising

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        progress = min((step - rising) / falling, 1.0) if falling > 0 else 1.0
        return (lowest + (rate - lowest) * (1 + math.cos(math.pi * progress)) / 2) / rate

    return factor
