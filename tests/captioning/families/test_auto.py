"""Any other vision-language model: the contract with small models of the real classes, and their chat templates."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import Molmo2Config, T5Gemma2Config

from captioning.families import auto
from captioning.modelling import Captioner, ImageInputs, apply_lora, describe_image_tokens, load, prepare_images
from captioning.modelling.captioner import PORTRAIT
from pipeline.core.errors import UserError
from tests.captioning.families import auto_models
from tests.captioning.families.contract import Contract
from tests.captioning.families.examples import CAPTIONS, force_token, make_examples, pick_supervised


class AutoContract(Contract):
    family = "auto"
    model: str
    ends: tuple[str, ...]
    prompt: str

    @pytest.fixture
    def make(self) -> Callable[[], Captioner]:
        return lambda: auto_models.build(self.model)

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return auto_models.save(self.model, tmp_path / self.model)

    def test_a_caption_ends_as_the_template_ends_a_turn(self, captioner: Captioner) -> None:
        assert captioner.tokenizer.convert_ids_to_tokens(captioner.eos_ids) == list(self.ends)

    def test_the_prompt_asks_the_question_and_opens_the_answer(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        text = captioner.tokenizer.decode(captioner.family.encode_prompt(captioner, images[0]))
        assert text.endswith(self.prompt)
        bos = captioner.tokenizer.bos_token
        assert bos is None or text.count(bos) == 1

    def test_what_is_learned_is_what_the_template_writes(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        """Token by token after the prompt, up to the end of the turn: SmolVLM's answers begin with a space."""
        processor = captioner.processor
        if not (processor.chat_template or captioner.tokenizer.chat_template):
            pytest.skip("it has no chat template")
        chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": auto.PROMPT}]}]
        answer = {"role": "assistant", "content": [{"type": "text", "text": CAPTIONS[0]}]}
        texts = [
            processor.apply_chat_template(chat, add_generation_prompt=True),
            processor.apply_chat_template([*chat, answer]),
        ]
        asked, answered = (captioner.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts)
        assert answered[: len(asked)] == asked
        learned = pick_supervised(make_examples(captioner, images)[0].labels)
        assert learned == answered[len(asked) :][: len(learned)]

    def test_a_processor_that_makes_other_room_is_refused(self, folder: Path) -> None:
        path = next(path for path in folder.glob("*.json") if self.room[0] in path.read_text())
        path.write_text(path.read_text().replace(self.room[0], self.room[1]))
        with pytest.raises(
            UserError,
            match=r"leaves \d+ image tokens, the model fills \d+|cannot read what the processor makes",
        ):
            load(folder, "auto", torch.float32)

    room: tuple[str, str]


class TestQwen2VL(AutoContract):
    model = "qwen2_vl"
    ends = ("<|im_end|>", "<|endoftext|>")
    prompt = "<|vision_end|>Describe the appearance of the clothing item<|im_end|>\n<|im_start|>assistant\n"
    room = ('"merge_size": 2', '"merge_size": 1')

    def test_image_tokens_follow_the_shape_of_the_image(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        assert len({captioner.family.count_image_tokens(captioner, image) for image in images}) > 1


class TestIdefics3(AutoContract):
    """SmolVLM's first version is of this class."""

    model = "idefics3"
    ends = ("<end_of_utterance>",)
    prompt = "<fake_token_around_image>Describe the appearance of the clothing item<end_of_utterance>\nAssistant:"
    room = ('"image_seq_len": 4', '"image_seq_len": 5')

    def test_image_tokens_follow_the_shape_of_the_image(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        assert len({captioner.family.count_image_tokens(captioner, image) for image in images}) > 1


class TestSmolVLM(TestIdefics3):
    model = "smolvlm"


class TestPaliGemma(AutoContract):
    """It has no chat template."""

    model = "paligemma"
    ends = ("<eos>",)
    prompt = "<image><bos>Describe the appearance of the clothing item\n"
    room = ('"image_seq_length": 16', '"image_seq_length": 15')

    def test_the_prompt_is_seen_whole_and_the_caption_word_by_word(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        for example in make_examples(captioner, images):
            types = example.fields["token_type_ids"]
            assert [kind == 1 for kind in types] == [label != -100 for label in example.labels]


class TestGemma3(AutoContract):
    model = "gemma3"
    ends = ("<end_of_turn>", "<eos>")
    prompt = "clothing item<end_of_turn>\n<start_of_turn>model\n"
    room = ('"image_seq_length": 4', '"image_seq_length": 3')


class TestFlorence2(AutoContract):
    """It has an encoder and a decoder, no chat template, and a processor that puts the image tokens in by itself."""

    model = "florence2"
    ends = ("</s>",)
    prompt = "<image><s>Describe the appearance of the clothing item</s>"
    room = ('"image_seq_length": 5', '"image_seq_length": 4')

    def test_a_caption_begins_in_training_as_in_generation(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        """The published models force BOS: what is learned must begin with it too, and the words do not hold it."""
        captioner.model.generation_config.forced_bos_token_id = captioner.tokenizer.bos_token_id
        example = make_examples(captioner, images)[0]
        assert captioner.tokenizer.convert_ids_to_tokens(example.labels[:1]) == ["<s>"]
        assert captioner.tokenizer.decode(example.labels[1:-1]) == CAPTIONS[0]
        force_token(captioner, captioner.tokenizer.convert_tokens_to_ids("a"), after=2)
        (caption,) = captioner.family.generate(captioner, images[:1], 2)
        assert (caption.text, caption.tokens) == ("a", 2)

    def test_at_the_limit_no_end_is_forced(self, folder: Path, images: list[ImageInputs]) -> None:
        """BART's own setting would end every caption that reaches the limit, as if it were finished."""
        path = folder / "generation_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"forced_eos_token_id": 2}))
        loaded = load(folder, "auto", torch.float32)
        force_token(loaded, loaded.eos_id, after=10_000)
        assert [caption.finished for caption in loaded.family.generate(loaded, images, 3)] == [False] * len(images)


def test_a_model_with_a_family_of_its_own_is_refused(tiny_folder: Callable[[str], Path]) -> None:
    with pytest.raises(
        UserError, match="family auto does not fit: blip-2 has a family of its own: blip2_opt or blip2_t5"
    ):
        load(tiny_folder("blip2_opt"), "auto", torch.float32)


def test_a_llava_folder_is_a_model_like_any_other(tiny_folder: Callable[[str], Path]) -> None:
    with pytest.raises(UserError, match="not a model that writes text about images"):
        load(_text_model(tiny_folder("llava")), "auto", torch.float32)


def test_a_model_whose_text_config_knows_no_encoder_is_refused_by_name(tmp_path: Path) -> None:
    """The captions of T5Gemma 2 came out empty, and its training ended in a traceback."""
    words = auto_models.TEXT | {"head_dim": 8, "vocab_size": 32, "sliding_window": 64}
    encoder = {"text_config": words, "vision_config": auto_models.SIGLIP | {"image_size": 32}, "mm_tokens_per_image": 4}
    T5Gemma2Config(encoder=encoder, decoder=words).save_pretrained(tmp_path)
    save_file({}, tmp_path / "model.safetensors")  # the config is looked at before the weights
    with pytest.raises(
        UserError, match=r"auto does not fit: t5gemma2 has encoder and decoder.*True and False\); use another"
    ):
        load(tmp_path, "auto", torch.float32)


def _text_model(folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    return folder


def test_projections_without_a_known_name_are_listed() -> None:
    captioner = auto_models.build("gemma3")
    for layer in captioner.base.model.language_model.layers:
        for name in ("q_proj", "v_proj"):
            setattr(layer.self_attn, f"odd_{name}", layer.self_attn._modules.pop(name))
    with pytest.raises(UserError, match=r"no query and value projections among .*odd_q_proj.*all-linear"):
        apply_lora(captioner, "query-value", 2, 4, 0.0, True)


def test_without_an_image_there_is_no_prompt() -> None:
    with pytest.raises(ValueError, match="depends on the image"):
        auto.encode_prompt(auto_models.build("paligemma"))


def test_a_config_without_eos_leaves_the_tokenizer_s() -> None:
    """Molmo2's language model has no such field; its class, with the shapes alone and no weights."""
    with torch.device("meta"):
        model = auto.MODEL.from_config(Molmo2Config())
    assert not hasattr(model.config.get_text_config(), "eos_token_id")
    captioner = Captioner(model, auto_models.build("paligemma").processor, auto)
    assert captioner.tokenizer.convert_ids_to_tokens(captioner.eos_ids) == ["<eos>"]


@pytest.mark.parametrize(("name", "levers"), [("qwen2_vl", "max_pixels"), ("smolvlm", "max_image_size")])
def test_image_tokens_of_a_portrait_are_said_with_what_makes_them_fewer(name: str, levers: str) -> None:
    captioner = auto_models.build(name)
    portrait = prepare_images(captioner, [Image.new("RGB", PORTRAIT, "grey")])[0]
    said = describe_image_tokens(captioner)
    assert said.startswith(f"{captioner.family.count_image_tokens(captioner, portrait)} image tokens")
    assert levers in said
    assert "preprocessor_config.json" in said
