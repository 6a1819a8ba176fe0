"""Adam against torch's: on every row, and on the rows of each step alone; and the values that a table starts from."""

import pytest
import torch

from recsys.pairwise.adam import Adam, draw_initial

RATE = 0.03


def gradients(steps: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Rows of 7 that a step meets, and their gradients (n, 3)."""
    random = torch.Generator().manual_seed(0)
    rows = [torch.randperm(7, generator=random)[:4].sort().values for _ in range(steps)]
    return [(row, torch.randn(4, 3, generator=random)) for row in rows]


def start() -> torch.Tensor:
    return torch.randn(7, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("named", [True, False], ids=["rows", "whole"])
@pytest.mark.parametrize("fused", [False, True])
def test_dense_equals_torch_whose_rows_go_on_moving(fused: bool, named: bool) -> None:
    ours, theirs = Adam(start(), RATE, fused=fused), torch.nn.Parameter(start())
    peer = torch.optim.Adam([theirs], lr=RATE)
    for rows, gradient in gradients(12):
        theirs.grad = torch.zeros(7, 3).index_copy(0, rows, gradient)
        ours.update(*((gradient, rows) if named else (theirs.grad,)))
        peer.step()
    torch.testing.assert_close(ours.values, theirs.detach(), rtol=1e-5, atol=1e-6)


def test_a_sparse_row_moves_as_if_there_were_only_its_own_steps() -> None:
    ours = Adam(start(), RATE, sparse=True)
    for rows, gradient in gradients(12):
        ours.update(gradient, rows)
    for row in range(7):
        alone = torch.nn.Parameter(start()[row])
        peer = torch.optim.Adam([alone], lr=RATE)
        for rows, gradient in gradients(12):
            if row in rows:
                alone.grad = gradient[rows == row][0]
                peer.step()
        torch.testing.assert_close(ours.values[row], alone.detach(), rtol=1e-5, atol=1e-6)


def test_a_sparse_step_leaves_the_other_rows_alone() -> None:
    ours = Adam(start(), RATE, sparse=True)
    ours.update(torch.ones(2, 3), torch.tensor([1, 4]))
    assert ((ours.values != start()).all(1) == torch.tensor([False, True, False, False, True, False, False])).all()


def test_initial_values_depend_on_seed_and_stream_only() -> None:
    first = draw_initial(5, 3, seed=1, stream=0, device="cpu")
    assert (first == draw_initial(5, 3, 1, 0, "cpu")).all()
    assert (first != draw_initial(5, 3, 1, 1, "cpu")).all()
    assert (first != draw_initial(5, 3, 2, 0, "cpu")).all()
