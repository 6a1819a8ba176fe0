"""LLaVA-1.5: the contract, and the study's prompt."""

from captioning.modelling import Captioner
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
