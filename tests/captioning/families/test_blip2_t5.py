"""BLIP-2 with T5: the contract, and an encoder that never sees the caption."""

from captioning.modelling import Captioner, ImageInputs
from tests.captioning.families.contract import Contract
from tests.captioning.families.examples import IMAGES, make_examples


class TestBlip2T5(Contract):
    family = "blip2_t5"

    def test_the_encoder_never_sees_the_caption(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        inputs = {tuple(example.input_ids) for example in make_examples(captioner, images)}
        assert inputs == {tuple(captioner.family.encode_prompt(captioner))}

    def test_the_prompt_is_the_processor_s(self, captioner: Captioner) -> None:
        ids = captioner.processor(images=IMAGES[0], text="", return_tensors="pt")["input_ids"][0].tolist()
        assert captioner.family.encode_prompt(captioner) == ids
