"""Projection in blocks: the same from memory, from a mapped file, and however small the blocks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from features.files import Rows, all_rows, read_features, write_features
from recsys.pairwise import visual
from recsys.pairwise.adam import Adam
from recsys.pairwise.visual import Visual

FEATURES = np.random.default_rng(0).normal(3, 2, (30, 5)).astype(np.float16)
CENTRE, SCALE = np.full(5, 3, np.float32), np.linspace(0.5, 1, 5, dtype=np.float32)
ITEMS = torch.tensor([4, 4, 29, 0, 17, 3])
Step = tuple[torch.Tensor, list[torch.Tensor]]


def project_and_step(rows: Rows, items: torch.Tensor | None) -> Step:
    """What is projected, and the parameters after a step along its squares."""
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32))
    projection = Visual(rows, Adam(weights, 0.1), Adam(torch.zeros(1, 4), 0.1), centre=CENTRE, scale=SCALE)
    projected = projection.project(items)
    (gradient,) = torch.autograd.grad(projected.square().sum(), projected)
    projection.update(gradient, items)
    return projected.detach(), [table.values for table in projection.parameters]


@pytest.mark.parametrize("items", [ITEMS, None], ids=["some items", "every item"])
@pytest.mark.parametrize("block_rows", [1, 4, 1000])
def test_a_mapped_file_in_blocks_gives_what_memory_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: torch.Tensor | None, block_rows: int
) -> None:
    order = np.random.default_rng(2).permutation(30)  # rows on disk in another order than the items
    write_features(tmp_path / "f", [str(item) for item in order], FEATURES[order])
    expected = project_and_step(all_rows(FEATURES), items)
    monkeypatch.setattr(visual, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(visual, "BLOCK_BYTES", 4 * 5 * block_rows)
    actual = project_and_step(read_features(tmp_path / "f").select([str(item) for item in range(30)]), items)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_projection_and_gradient_are_those_of_autograd() -> None:
    projected, (weights, offset) = project_and_step(all_rows(FEATURES), ITEMS)
    ready = torch.from_numpy((FEATURES.astype(np.float32) - CENTRE) * SCALE)[ITEMS]
    theirs = torch.nn.Parameter(torch.from_numpy(np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)))
    shift = torch.nn.Parameter(torch.zeros(1, 4))
    peer = torch.optim.Adam([theirs, shift], lr=0.1)
    output = ready @ theirs + shift
    torch.testing.assert_close(projected, output.detach())
    output.square().sum().backward()
    peer.step()
    torch.testing.assert_close([weights, offset], [theirs.detach(), shift.detach()])
