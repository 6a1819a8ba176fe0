"""The learning rate of every optimiser step: a linear warmup, then one half cosine down to its lowest value."""

import math
from collections.abc import Callable


def cosine(steps: int, rate: float, lowest: float, warmup: float) -> Callable[[int], float]:
    """Factors of `rate`, for torch's LambdaLR: step 0 is the first, step `steps - 1` the last and has `lowest` exactly.

    Beyond the last step it stays there: a cosine that goes on (`T_max` smaller than the run) would rise again.

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
