"""What every captioner family promises. Each family inherits the whole contract; its own promises follow."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from captioning.modelling import (
    IGNORED,
    Captioner,
    apply_lora,
    check_image_tokens,
    collate,
    load,
    lora_names,
    pixel_values,
)
from captioning.modelling.lora import check_scope
from pipeline.errors import UserError

CAPTIONS = ["a red shirt", "striped blue trousers in cotton twill with a zip fly and button.", "", "short sleeves"]
COLOURS = ["red", "blue", "green", "grey"]
IMAGES = [Image.new("RGB", (40, 56), colour) for colour in COLOURS]


def supervised(labels: list[int]) -> list[int]:
    return [label for label in labels if label != IGNORED]


def speaking(captioner: Captioner) -> Captioner:
    """Large random weights, so that captions of different images differ and depend on every token before."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in captioner.base.parameters():
            if weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.8)
    return captioner


def say(captioner: Captioner, token: int, after: int) -> None:
    """Makes the language model say `token` as the generated token number `after`, and something else before."""
    head = captioner.base.get_output_embeddings()
    steps = {"seen": 0}

    def bend(module: Any, inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        steps["seen"] += 1
        logits[..., token] = 1e4 if steps["seen"] == after else -1e4
        return logits

    head.register_forward_hook(bend)


class Contract:
    family: str

    @pytest.fixture
    def captioner(self, tiny_captioner: Callable[[str], Captioner]) -> Captioner:
        return tiny_captioner(self.family)

    def test_names(self) -> None:
        module = importlib.import_module(f"captioning.families.{self.family}")
        assert set(module.LORA_TARGETS) == set(module.LORA_TARGETS_EVERYWHERE) == {"query-value", "all-linear"}
        assert isinstance(module.PROMPT, str)
        assert module.IMAGE_PROCESSOR.__name__.endswith("Pil")

    # What is supervised

    def test_the_last_supervised_token_is_the_only_eos(self, captioner: Captioner) -> None:
        for example in captioner.family.encode_training(captioner, CAPTIONS):
            labels = supervised(example.labels)
            assert labels[-1] == captioner.eos_id
            assert labels.count(captioner.eos_id) == 1

    def test_exactly_the_caption_and_eos_are_supervised(self, captioner: Captioner) -> None:
        for caption, example in zip(CAPTIONS, captioner.family.encode_training(captioner, CAPTIONS), strict=True):
            labels = supervised(example.labels)
            assert captioner.tokenizer.decode(labels[:-1]) == caption
            assert captioner.image_token_id not in labels

    def test_padding_is_never_supervised_and_ends_with_the_longest(self, captioner: Captioner) -> None:
        examples = captioner.family.encode_training(captioner, CAPTIONS)
        batch = collate(examples, pixel_values(captioner, IMAGES), captioner.pad_id)
        assert (
            batch["input_ids"].shape
            == batch["attention_mask"].shape
            == (4, max(len(example.input_ids) for example in examples))
        )
        assert batch["labels"].shape == (4, max(len(example.labels) for example in examples))
        for example, ids, mask, labels in zip(
            examples, batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True
        ):
            n_ids, n_labels = len(example.input_ids), len(example.labels)
            assert ids.tolist() == example.input_ids + [captioner.pad_id] * (len(ids) - n_ids)
            assert mask.tolist() == [1] * n_ids + [0] * (len(mask) - n_ids)
            assert labels.tolist() == example.labels + [IGNORED] * (len(labels) - n_labels)

    def test_an_eos_that_is_also_the_pad_stays_supervised_and_seen(self, captioner: Captioner) -> None:
        examples = captioner.family.encode_training(captioner, CAPTIONS)
        batch = collate(examples, pixel_values(captioner, IMAGES), captioner.eos_id)
        assert (batch["labels"] == captioner.eos_id).sum() == len(CAPTIONS)
        assert batch["attention_mask"].sum() == sum(len(example.input_ids) for example in examples)

    def test_images_and_captions_must_be_equal_in_number(self, captioner: Captioner) -> None:
        with pytest.raises(ValueError, match="3 images for 4 captions"):
            collate(
                captioner.family.encode_training(captioner, CAPTIONS),
                pixel_values(captioner, IMAGES[:3]),
                captioner.pad_id,
            )

    def test_batch_loss_is_the_token_weighted_mean_of_single_losses(self, captioner: Captioner) -> None:
        examples = captioner.family.encode_training(speaking(captioner), CAPTIONS)
        images = pixel_values(captioner, IMAGES)
        counts = [len(supervised(example.labels)) for example in examples]
        with torch.inference_mode():
            together = captioner.model(**collate(examples, images, captioner.pad_id)).loss.item()
            single = [
                captioner.model(**collate([example], images[row : row + 1], captioner.pad_id)).loss.item()
                for row, example in enumerate(examples)
            ]
        assert together == pytest.approx(
            sum(loss * n for loss, n in zip(single, counts, strict=True)) / sum(counts), rel=1e-5
        )

    # Image tokens

    def test_a_wrong_number_of_image_tokens_is_refused(self, captioner: Captioner) -> None:
        prompt, image = captioner.family.encode_prompt(captioner), captioner.image_token_id
        check_image_tokens(captioner, prompt)
        missing = list(prompt)
        missing.remove(image)
        for wrong in (missing, [image, *prompt], [token for token in prompt if token != image]):
            with pytest.raises(ValueError, match="image tokens"):
                check_image_tokens(captioner, wrong)

    def test_the_prompt_holds_as_many_image_tokens_as_the_model_makes(self, captioner: Captioner) -> None:
        features = captioner.base.get_image_features(pixel_values(captioner, IMAGES[:1])).pooler_output[0]
        assert captioner.family.encode_prompt(captioner).count(captioner.image_token_id) == len(features)

    def test_the_image_matters(self, captioner: Captioner) -> None:
        examples = captioner.family.encode_training(speaking(captioner), ["a red shirt"])
        red, blue = (
            captioner.model(**collate(examples, pixel_values(captioner, [image]), captioner.pad_id)).loss.item()
            for image in IMAGES[:2]
        )
        assert red != pytest.approx(blue, rel=1e-4)

    # Generation

    def test_one_by_one_equals_batched(self, captioner: Captioner) -> None:
        images = pixel_values(speaking(captioner), IMAGES)
        together = captioner.family.generate(captioner, images, 9)
        assert together == [captioner.family.generate(captioner, image[None], 9)[0] for image in images]
        assert len({caption.text for caption in together}) > 1

    def test_generation_stops_at_eos_and_counts_it(self, captioner: Captioner) -> None:
        say(captioner, captioner.eos_id, after=4)
        for caption in captioner.family.generate(captioner, pixel_values(captioner, IMAGES), 9):
            assert (caption.tokens, caption.finished) == (4, True)

    def test_max_new_tokens_does_not_count_the_prompt(self, captioner: Captioner) -> None:
        say(captioner, captioner.eos_id, after=10_000)
        for caption in captioner.family.generate(captioner, pixel_values(captioner, IMAGES[:2]), 3):
            assert (caption.tokens, caption.finished) == (3, False)

    def test_nothing_of_the_prompt_is_returned(self, captioner: Captioner) -> None:
        say(captioner, captioner.eos_id, after=1)
        assert [
            caption.text for caption in captioner.family.generate(captioner, pixel_values(captioner, IMAGES), 9)
        ] == [""] * 4

    def test_settings_of_the_checkpoint_do_not_leak_into_generation(self, captioner: Captioner) -> None:
        images = pixel_values(speaking(captioner), IMAGES)
        expected = captioner.family.generate(captioner, images, 9)
        for config in (
            captioner.base.generation_config,
            getattr(captioner.base, "language_model", captioner.base).generation_config,
        ):
            config.update(
                max_length=5, num_beams=3, do_sample=True, temperature=5.0, repetition_penalty=3.0, min_length=8
            )
        assert captioner.family.generate(captioner, images, 9) == expected

    def test_generation_has_no_dropout_and_leaves_the_mode_as_it_was(self, captioner: Captioner) -> None:
        images = pixel_values(speaking(captioner), IMAGES)
        expected = captioner.family.generate(captioner, images, 9)
        captioner.model.train()
        assert captioner.family.generate(captioner, images, 9) == expected
        assert captioner.model.training

    # LoRA

    @pytest.mark.parametrize("layers", ["query-value", "all-linear"])
    def test_lora_stays_inside_the_language_model(self, captioner: Captioner, layers: Any) -> None:
        adapted = apply_lora(captioner, layers, rank=2, alpha=4, dropout=0.0, use_rslora=True)
        names = lora_names(adapted)
        assert names
        assert all("language_model." in name for name in names)
        trainable = {name for name, weight in adapted.base.named_parameters() if weight.requires_grad}
        assert trainable == set(names)

    def test_lora_reaches_every_attention_of_the_language_model(self, captioner: Captioner) -> None:
        adapted = apply_lora(captioner, "query-value", rank=2, alpha=4, dropout=0.0, use_rslora=True)
        attentions = [
            name
            for name, part in adapted.base.named_modules()
            if "language_model" in name and name.endswith(("self_attn", "SelfAttention", "EncDecAttention"))
        ]
        assert attentions
        assert all(
            sum(name.startswith(f"{attention}.") for name in lora_names(adapted)) == 4 for attention in attentions
        )  # two layers, A and B

    def test_more_layers_with_all_linear(self, tiny_captioner: Callable[[str], Captioner]) -> None:
        few, many = (
            len(
                lora_names(
                    apply_lora(tiny_captioner(self.family), layers, rank=2, alpha=4, dropout=0.0, use_rslora=False)
                )
            )
            for layers in ("query-value", "all-linear")
        )
        assert few < many

    def test_scope_all_opens_the_vision_side_on_purpose(self, captioner: Captioner) -> None:
        adapted = apply_lora(captioner, "all-linear", rank=2, alpha=4, dropout=0.0, use_rslora=True, scope="all")
        assert any("language_model" not in name for name in lora_names(adapted))
        with pytest.raises(UserError, match="outside the language model"):
            check_scope(adapted)

    def test_training_mode_leaves_the_frozen_side_without_dropout(self, captioner: Captioner) -> None:
        adapted = apply_lora(captioner, "query-value", rank=2, alpha=4, dropout=0.0, use_rslora=True)
        adapted.model.train()
        parts = adapted.family.vision_parts(adapted.base)
        assert parts
        assert not any(module.training for part in parts for module in part.modules())
        assert any(module.training for name, module in adapted.base.named_modules() if "language_model." in name)

    def test_features_of_an_image_are_the_same_at_every_step(self, captioner: Captioner) -> None:
        adapted = apply_lora(captioner, "query-value", rank=2, alpha=4, dropout=0.0, use_rslora=True)
        adapted.model.train()
        images = pixel_values(adapted, IMAGES)
        first, second = (torch.stack(list(adapted.base.get_image_features(images).pooler_output)) for _ in range(2))
        assert torch.equal(first, second)

    # Folders

    def test_a_float16_folder_loads_in_float32_with_the_same_processor(
        self, captioner: Captioner, tiny_folder: Callable[[str], Path]
    ) -> None:
        loaded = load(tiny_folder(self.family), self.family, torch.float32)
        assert {weight.dtype for weight in loaded.base.parameters()} == {torch.float32}
        assert not loaded.model.training
        assert type(loaded.processor.image_processor).__name__ == loaded.family.IMAGE_PROCESSOR.__name__
        assert loaded.family.encode_training(loaded, CAPTIONS) == captioner.family.encode_training(captioner, CAPTIONS)
        assert torch.equal(pixel_values(loaded, IMAGES), pixel_values(captioner, IMAGES))
        for name, weight in captioner.base.state_dict().items():
            assert torch.equal(loaded.base.state_dict()[name], weight.half().float()), name

    def test_pickled_weights_are_refused(self, tiny_folder: Callable[[str], Path]) -> None:
        folder = tiny_folder(self.family)
        weights = load(folder, self.family, torch.float32).base.state_dict()
        (folder / "model.safetensors").unlink()
        torch.save(weights, folder / "pytorch_model.bin")
        with pytest.raises(UserError, match="safetensors"):
            load(folder, self.family, torch.float32)

    def test_an_adapter_comes_back_as_it_went(self, tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
        folder = tiny_folder(self.family)
        adapted = apply_lora(
            load(folder, self.family, torch.float32), "query-value", rank=2, alpha=4, dropout=0.1, use_rslora=True
        )
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for name, weight in adapted.base.named_parameters():
                if "lora_" in name:
                    weight.copy_(torch.randn(weight.shape, generator=generator))
        adapted.model.save_pretrained(tmp_path / "adapter")
        back = load(folder, self.family, torch.float32, adapter=tmp_path / "adapter")
        batch = collate(back.family.encode_training(back, CAPTIONS), pixel_values(back, IMAGES), back.pad_id)
        adapted.model.eval()
        plain = load(folder, self.family, torch.float32).model(**batch).loss.item()
        assert back.model(**batch).loss.item() == adapted.model(**batch).loss.item() != plain

    def test_a_pickled_adapter_is_refused(self, tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
        (tmp_path / "adapter").mkdir()
        torch.save({}, tmp_path / "adapter" / "adapter_model.bin")
        with pytest.raises(UserError, match=r"adapter_model\.safetensors"):
            load(tiny_folder(self.family), self.family, torch.float32, adapter=tmp_path / "adapter")

    def test_a_tokenizer_of_another_model_is_refused(self, tiny_folder: Callable[[str], Path]) -> None:
        folder = tiny_folder(self.family)
        config = json.loads((folder / "config.json").read_text())
        config["image_token_index"] = config["image_token_id"] = 7
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(UserError, match="belong to different models"):
            load(folder, self.family, torch.float32)


class TestBlip2Opt(Contract):
    family = "blip2_opt"

    def test_image_tokens_stand_before_bos(self, captioner: Captioner) -> None:
        prompt = captioner.family.encode_prompt(captioner)
        assert prompt == [captioner.image_token_id] * 3 + [captioner.tokenizer.bos_token_id]

    def test_the_prompt_is_the_processor_s(self, captioner: Captioner) -> None:
        ids = captioner.processor(images=IMAGES[0], text="", return_tensors="pt")["input_ids"][0].tolist()
        assert captioner.family.encode_prompt(captioner) == ids

    def test_prompt_and_caption_are_the_input(self, captioner: Captioner) -> None:
        for example in captioner.family.encode_training(captioner, CAPTIONS):
            prompt = captioner.family.encode_prompt(captioner)
            assert example.input_ids == prompt + supervised(example.labels)
            assert example.labels[: len(prompt)] == [IGNORED] * len(prompt)

    def test_eos_is_the_model_s_and_not_the_tokenizer_s(self, captioner: Captioner) -> None:
        newline = captioner.tokenizer("\n", add_special_tokens=False)["input_ids"][
            -1
        ]  # as the published checkpoints have it
        captioner.base.config.text_config.eos_token_id = newline
        assert captioner.family.encode_training(captioner, ["a red shirt"])[0].labels[-1] == newline
        say(captioner, newline, after=3)
        assert captioner.family.generate(captioner, pixel_values(captioner, IMAGES[:1]), 9)[0].tokens == 3


class TestBlip2T5(Contract):
    family = "blip2_t5"

    def test_the_encoder_never_sees_the_caption(self, captioner: Captioner) -> None:
        seen = {tuple(example.input_ids) for example in captioner.family.encode_training(captioner, CAPTIONS)}
        assert seen == {tuple(captioner.family.encode_prompt(captioner))}

    def test_the_prompt_is_the_processor_s(self, captioner: Captioner) -> None:
        ids = captioner.processor(images=IMAGES[0], text="", return_tensors="pt")["input_ids"][0].tolist()
        assert captioner.family.encode_prompt(captioner) == ids


class TestLlava(Contract):
    family = "llava"

    def test_the_prompt_is_the_study_s(self, captioner: Captioner) -> None:
        prompt = captioner.family.encode_prompt(captioner)
        text = captioner.tokenizer.decode(prompt).replace("<image>" * 4, "<image>")
        assert text.endswith("USER: <image>\nDescribe the appearance of the clothing item\nASSISTANT:")
        assert prompt[0] == captioner.tokenizer.bos_token_id

    def test_the_prompt_is_the_processor_s(self, captioner: Captioner) -> None:
        ids = captioner.processor(images=IMAGES[0], text=captioner.family.PROMPT, return_tensors="pt")["input_ids"][
            0
        ].tolist()
        assert captioner.family.encode_prompt(captioner) == ids

    def test_prompt_and_caption_are_the_input(self, captioner: Captioner) -> None:
        for example in captioner.family.encode_training(captioner, CAPTIONS):
            prompt = captioner.family.encode_prompt(captioner)
            assert example.input_ids == prompt + supervised(example.labels)
            assert example.labels[: len(prompt)] == [IGNORED] * len(prompt)


def test_an_image_token_inside_a_caption_is_refused(tiny_captioner: Callable[[str], Captioner]) -> None:
    for family in ("blip2_opt", "llava"):
        captioner = tiny_captioner(family)
        with pytest.raises(ValueError, match="does a caption contain the image token"):
            captioner.family.encode_training(captioner, ["a red <image> shirt"])


def test_a_hub_file_names_the_revision(tmp_path: Path) -> None:
    from pipeline.models import where

    (tmp_path / "hub.json").write_text('{"id": "owner/name", "revision": "0123abc"}')
    assert where(tmp_path) == {"pretrained_model_name_or_path": "owner/name", "revision": "0123abc"}
    for wrong in ('{"id": "owner/name"}', "[]", '{"id": "owner/name", "revision": ""}'):
        (tmp_path / "hub.json").write_text(wrong)
        with pytest.raises(UserError, match="revision"):
            where(tmp_path)


def test_an_empty_folder_and_an_unknown_family_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model here"):
        load(tmp_path, "llava", torch.float32)
    with pytest.raises(UserError, match="no such captioner family"):
        load(tmp_path, "lava", torch.float32)


def test_a_folder_of_another_family_is_named(tiny_folder: Callable[[str], Path]) -> None:
    for family, other in [("blip2_opt", "blip2_t5"), ("blip2_t5", "blip2_opt"), ("llava", "blip2_opt")]:
        with pytest.raises(UserError, match=f"while the family {other} is blip-2"):
            load(tiny_folder(family), other, torch.float32)
