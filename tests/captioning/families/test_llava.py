"""LLaVA-1.5: the contract, the study's prompt, and that it sees pictures whole."""

import numpy as np
import pytest
import torch
from PIL import Image

from captioning.modelling import Captioner, describe, make_pixel_values
from tests.captioning.families.contract import Contract
from tests.captioning.families.examples import IMAGES


class TestLlava(Contract):
    family = "llava"

    def test_the_prompt_is_the_study_s(self, captioner: Captioner) -> None:
        prompt = captioner.family.encode_prompt(captioner)
        text = captioner.tokenizer.decode(prompt).replace("<image>" * 4, "<image>")
        assert text.endswith("USER: <image>\nDescribe the appearance of the clothing item\nASSISTANT:")
        assert prompt[0] == captioner.tokenizer.bos_token_id

    def test_the_prompt_is_the_processor_s(self, captioner: Captioner) -> None:
        ids = captioner.processor(images=IMAGES[0], text=captioner.family.PROMPT, return_tensors="pt")["input_ids"]
        assert captioner.family.encode_prompt(captioner) == ids[0].tolist()

    @pytest.mark.parametrize("edge", range(4))
    def test_it_sees_what_stands_at_the_edges_of_a_portrait(self, captioner: Captioner, edge: int) -> None:
        plain, marked = make_pixel_values(captioner, [make_portrait(), make_portrait(edge)])
        assert (plain - marked).abs().max() > 1

    def test_it_pads_with_the_mean_colour_as_llava_was_trained(self, captioner: Captioner) -> None:
        side = captioner.base.config.vision_config.image_size
        picture = Image.new("RGB", (side // 2, side), "red")
        (seen,) = make_pixel_values(captioner, [picture])
        processor = captioner.processor.image_processor
        background = torch.tensor([int(255 * value) for value in processor.image_mean])
        colours = torch.where(columns_of(picture, side), torch.tensor([255, 0, 0])[:, None], background[:, None])
        mean, std = (torch.tensor(values)[:, None] for values in (processor.image_mean, processor.image_std))
        expected = (colours / 255 - mean) / std  # (3, side): the same in every row
        assert torch.allclose(seen, expected[:, None].expand(3, side, side), atol=1e-5)

    def test_a_run_records_that_it_pads(self, captioner: Captioner) -> None:
        assert describe(captioner)["image_processor"] == "LlavaImageProcessorPil"


def make_portrait(edge: int | None = None) -> Image.Image:
    """Makes a white portrait of 2:3 with a black bar along one edge: top, bottom, left, right."""
    pixels = np.full((96, 64, 3), 255, dtype=np.uint8)
    bars = [np.s_[:12], np.s_[-12:], np.s_[:, :12], np.s_[:, -12:]]
    if edge is not None:
        pixels[bars[edge]] = 0
    return Image.fromarray(pixels)


def columns_of(picture: Image.Image, side: int) -> torch.Tensor:
    """Marks the columns of a square in which a padded portrait stands: (side,), bool."""
    first = (side - picture.width) // 2
    columns = torch.zeros(side, dtype=torch.bool)
    columns[first : first + picture.width] = True
    return columns
