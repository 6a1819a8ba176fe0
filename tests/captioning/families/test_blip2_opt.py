"""BLIP-2 with OPT: the contract, and the places of image tokens and EOS."""

from captioning.modelling import Captioner, ImageInputs
from tests.captioning.families.contract import Contract
from tests.captioning.families.examples import IMAGES, force_token, make_examples


class TestBlip2Opt(Contract):
    family = "blip2_opt"

    def test_image_tokens_stand_before_bos(self, captioner: Captioner) -> None:
        prompt = captioner.family.encode_prompt(captioner)
        assert prompt == [captioner.image_token_id] * 3 + [captioner.tokenizer.bos_token_id]

    def test_the_prompt_is_the_processor_s(self, captioner: Captioner) -> None:
        ids = captioner.processor(images=IMAGES[0], text="", return_tensors="pt")["input_ids"][0].tolist()
        assert captioner.family.encode_prompt(captioner) == ids

    def test_eos_is_the_model_s_and_not_the_tokenizer_s(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        # as the published checkpoints have it
        newline = captioner.tokenizer("\n", add_special_tokens=False)["input_ids"][-1]
        captioner.base.config.text_config.eos_token_id = newline
        assert make_examples(captioner, images)[0].labels[-1] == newline
        force_token(captioner, newline, after=3)
        assert captioner.family.generate(captioner, images[:1], 9)[0].tokens == 3
