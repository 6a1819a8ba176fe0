"""The part of the contract about adapters, and about folders of models and adapters."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from captioning.modelling import Captioner, ImageInputs, apply_lora, join_images, list_lora_names, load, prepare_images
from captioning.modelling.lora import check_scope, checkpoint_activations, find_language_model
from captioning.training.loss import count_supervised, sum_loss
from pipeline.core.errors import UserError
from tests.captioning.families.examples import (
    IMAGES,
    add_random_adapter,
    compute_gradient,
    make_batch,
    make_examples,
    randomize_weights,
    remove_dropout,
)


class AdapterContract:
    family: str

    # LoRA

    @pytest.mark.parametrize("layers", ["query-value", "all-linear"])
    def test_lora_stays_inside_the_language_model(self, captioner: Captioner, layers: Any) -> None:
        inside = find_language_model(captioner.base)
        tuned = apply_lora(captioner, layers, rank=2, alpha=4, dropout=0.0, use_rslora=True)
        names = list_lora_names(tuned)
        assert names
        assert all(name.startswith(f"{inside}.") for name in names)
        assert {name for name, weight in tuned.base.named_parameters() if weight.requires_grad} == set(names)

    def test_lora_reaches_every_attention_of_the_language_model(self, captioner: Captioner) -> None:
        inside = find_language_model(captioner.base)
        tuned = apply_lora(captioner, "query-value", rank=2, alpha=4, dropout=0.0, use_rslora=True)
        attentions = [
            name
            for name, part in tuned.base.named_modules()
            if name.startswith(inside) and name.endswith(("self_attn", "SelfAttention", "EncDecAttention"))
        ]
        assert attentions
        for attention in attentions:  # two layers, A and B
            assert sum(name.startswith(f"{attention}.") for name in list_lora_names(tuned)) == 4

    def test_more_layers_with_all_linear(self, make: Callable[[], Captioner]) -> None:
        n_query_value, n_all = (
            len(list_lora_names(apply_lora(make(), layers, rank=2, alpha=4, dropout=0.0, use_rslora=False)))
            for layers in ("query-value", "all-linear")
        )
        assert n_query_value < n_all

    def test_scope_all_opens_the_vision_side_on_purpose(self, captioner: Captioner) -> None:
        inside = find_language_model(captioner.base)
        tuned = apply_lora(captioner, "all-linear", rank=2, alpha=4, dropout=0.0, use_rslora=True, scope="all")
        assert any(not name.startswith(inside) for name in list_lora_names(tuned))
        with pytest.raises(UserError, match="outside the language model"):
            check_scope(tuned)

    def test_training_mode_leaves_the_frozen_side_without_dropout(self, captioner: Captioner) -> None:
        tuned = apply_lora(captioner, "query-value", rank=2, alpha=4, dropout=0.0, use_rslora=True)
        tuned.model.train()
        parts, inside = tuned.family.find_vision_parts(tuned.base), find_language_model(tuned.base)
        assert parts
        assert not any(module.training for part in parts for module in part.modules())
        assert any(module.training for name, module in tuned.base.named_modules() if name.startswith(inside))

    def test_features_of_an_image_are_the_same_at_every_step(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        tuned = apply_lora(captioner, "query-value", rank=2, alpha=4, dropout=0.0, use_rslora=True)
        tuned.model.train()
        first, second = (tuned.base.get_image_features(**join_images(images)).pooler_output for _ in range(2))
        assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))

    def test_checkpointed_activations_give_the_same_gradient(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        tuned, batch = add_random_adapter(captioner), make_batch(captioner, images)
        remove_dropout(tuned)
        tuned.model.train()
        plain = compute_gradient(tuned, [batch])
        checkpoint_activations(tuned)
        assert (compute_gradient(tuned, [batch]) - plain).norm() / plain.norm() <= 1e-6

    def test_five_steps_lower_the_loss(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        torch.manual_seed(0)
        tuned = apply_lora(
            randomize_weights(captioner, 0.3), "all-linear", rank=4, alpha=8, dropout=0.0, use_rslora=True
        )
        tuned.model.train()
        weights = [weight for weight in tuned.model.parameters() if weight.requires_grad]
        optimiser, batch, losses = torch.optim.AdamW(weights, lr=0.02), make_batch(tuned, images), []
        for _ in range(6):
            loss = sum_loss(tuned, tuned.model, batch) / count_supervised(batch["labels"])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert losses[-1] < 0.98 * losses[0]

    # Folders

    def test_a_float16_folder_loads_in_float32_with_the_same_processor(
        self, captioner: Captioner, images: list[ImageInputs], folder: Path
    ) -> None:
        loaded = load(folder, self.family, torch.float32)
        assert {weight.dtype for weight in loaded.base.parameters()} == {torch.float32}
        assert not loaded.model.training
        assert type(loaded.processor.image_processor) is type(captioner.processor.image_processor)
        assert type(loaded.processor.image_processor).__name__.endswith("Pil")
        assert loaded.eos_ids == captioner.eos_ids
        again = prepare_images(loaded, IMAGES)
        assert make_examples(loaded, again) == make_examples(captioner, images)
        for image, expected in zip(again, images, strict=True):
            assert image.keys() == expected.keys()
            assert all(torch.equal(image[name], expected[name]) for name in image)
        for name, weight in captioner.base.state_dict().items():
            assert torch.equal(loaded.base.state_dict()[name], weight.half().float()), name

    def test_an_adapter_comes_back_as_it_went(self, folder: Path, tmp_path: Path) -> None:
        tuned = add_random_adapter(load(folder, self.family, torch.float32))
        tuned.model.eval()
        tuned.model.save_pretrained(tmp_path / "adapter")
        back = load(folder, self.family, torch.float32, adapter=tmp_path / "adapter")
        images = prepare_images(back, IMAGES)
        batch = make_batch(back, images)
        plain = load(folder, self.family, torch.float32)
        assert back.model(**batch).loss.item() == tuned.model(**batch).loss.item() != plain.model(**batch).loss.item()
        assert back.family.generate(back, images, 5) == tuned.family.generate(tuned, images, 5)

    def test_plain_peft_loads_an_adapter_too(self, folder: Path, tmp_path: Path) -> None:
        tuned = add_random_adapter(load(folder, self.family, torch.float32))
        tuned.model.eval()
        tuned.model.save_pretrained(tmp_path / "adapter")
        batch = make_batch(tuned, prepare_images(tuned, IMAGES))
        base = type(tuned.base).from_pretrained(folder, dtype=torch.float32)
        plain = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
        assert plain(**batch).loss.item() == tuned.model(**batch).loss.item()

    def test_a_tokenizer_of_another_model_is_refused(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        config |= {name: 7 for name in ("image_token_index", "image_token_id") if name in config}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(UserError, match="belong to different models"):
            load(folder, self.family, torch.float32)
