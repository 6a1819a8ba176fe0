"""The learning rate: exactly as long as the run, and never up again."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from captioning.training.schedule import make_cosine_schedule

RATE = 5e-4
LOWEST = 1e-6


def list_rates(steps: int, warmup: float, beyond: int = 0) -> list[float]:
    """Lists the rates of an optimiser that torch's own LambdaLR steps."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([weight], lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, make_cosine_schedule(steps, RATE, LOWEST, warmup))
    used = []
    for _ in range(steps + beyond):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return used


@given(st.integers(2, 300), st.floats(0, 0.5))
def test_rises_once_then_falls_to_the_lowest_rate_at_the_last_step(steps: int, warmup: float) -> None:
    used = list_rates(steps, warmup, beyond=10)
    rising = round(warmup * steps)
    up, down = pairwise(used[: min(rising + 1, steps - 1)]), pairwise(used[rising:])
    assert all(before < after for before, after in up)
    assert all(before >= after for before, after in down)
    assert used[steps - 1] == pytest.approx(LOWEST, rel=1e-12)
    assert used[steps:] == [used[steps - 1]] * 10


def test_highest_rate_follows_the_warmup() -> None:
    used = list_rates(100, 0.1)
    assert used[10] == pytest.approx(RATE)
    assert max(used) == used[10]
    assert used[0] == pytest.approx(RATE / 11)


def test_without_warmup_it_is_torchs_cosine() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=49, eta_min=LOWEST)
    expected = []
    for _ in range(50):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
    assert list_rates(50, 0.0) == pytest.approx(expected, rel=1e-9)


def test_a_run_of_one_step_uses_the_lowest_rate() -> None:
    assert list_rates(1, 0.03) == [pytest.approx(LOWEST)]
