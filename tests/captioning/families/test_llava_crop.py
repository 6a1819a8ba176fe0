"""LLaVA-1.5 as the study ran it: the contract, and that only the middle of a picture counts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from captioning.modelling import Captioner, describe, load, make_pixel_values
from tests.captioning.families.contract import Contract
from tests.captioning.families.test_llava import make_portrait


class TestLlavaCrop(Contract):
    family = "llava_crop"

    @pytest.fixture
    def folder(self, tiny_folder: Callable[[str], Path]) -> Path:
        """Weights of LLaVA, saved with a processor that pads."""
        return tiny_folder("llava")

    @pytest.fixture
    def make(self, folder: Path) -> Callable[[], Captioner]:
        return lambda: load(folder, self.family, torch.float32)

    @pytest.mark.parametrize("edge", range(2))
    def test_it_does_not_see_top_and_bottom_of_a_portrait(self, captioner: Captioner, edge: int) -> None:
        plain, marked = make_pixel_values(captioner, [make_portrait(), make_portrait(edge)])
        assert torch.equal(plain, marked)

    def test_a_run_records_that_it_crops(self, captioner: Captioner) -> None:
        assert describe(captioner)["image_processor"] == "CLIPImageProcessorPil"
