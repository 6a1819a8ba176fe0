"""Adapters inside and outside the language model, and dropout on a frozen or trained vision side."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from captioning.modelling import Captioner, apply_lora, join_images, load, prepare_images
from captioning.modelling.lora import find_language_model, list_modules_beside_language_model
from pipeline.core.errors import UserError
from tests.captioning.families.examples import IMAGES


def test_where_the_language_model_is_and_what_lies_beside_it(tiny_captioner: Callable[[str], Captioner]) -> None:
    models = [tiny_captioner(family).base for family in ("blip2_opt", "blip2_t5", "llava")]
    assert [find_language_model(model) for model in models] == ["language_model"] * 2 + ["model.language_model"]
    blip2 = ["vision_model", "qformer", "language_projection"]
    llava = ["model.vision_tower", "model.multi_modal_projector"]
    assert [list_modules_beside_language_model(model) for model in models] == [blip2, blip2, llava]


def test_a_family_with_a_careless_expression_is_refused(
    tiny_captioner: Callable[[str], Captioner], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suffixes of the study's code: LLaVA's reach the CLIP tower too, and BLIP-2's only the Q-Former."""
    for family, targets in [("llava", r".*\.(q_proj|v_proj)"), ("blip2_opt", r".*\.(query|value)")]:
        captioner = tiny_captioner(family)
        monkeypatch.setattr(captioner.family, "choose_lora_targets", lambda *_, targets=targets: targets)
        with pytest.raises(UserError, match="outside the language model"):
            apply_lora(captioner, "query-value", 2, 4, 0.0, True)


def test_an_opened_vision_side_has_dropout_in_training_and_none_after(
    tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tiny_folder("blip2_opt")
    tuned = apply_lora(load(folder, "blip2_opt", torch.float32), "all-linear", 2, 4, 0.5, True, scope="all")
    with torch.no_grad():
        for name, weight in tuned.base.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    tuned.model.train()
    assert len(set(features_twice(tuned))) == 2
    tuned.model.eval()
    (expected,) = set(features_twice(tuned))
    tuned.model.save_pretrained(tmp_path / "adapter")
    back = load(folder, "blip2_opt", torch.float32, adapter=tmp_path / "adapter")
    assert set(features_twice(back)) == {expected}


def features_twice(captioner: Captioner) -> list[float]:
    images = join_images(prepare_images(captioner, IMAGES))
    with torch.no_grad():
        return [captioner.base.get_image_features(**images).pooler_output.double().sum().item() for _ in range(2)]
