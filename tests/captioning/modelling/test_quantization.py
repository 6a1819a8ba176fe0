"""4-bit weights on a CPU: only the language model is quantised; it trains, and its adapter loads again."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import T5PreTrainedModel

from captioning.modelling import Captioner, join_images, load, prepare_images
from captioning.modelling.lora import checkpoint_activations
from captioning.training.loss import count_supervised, sum_loss
from pipeline.core.errors import UserError
from tests.captioning.families.examples import IMAGES, add_random_adapter, make_batch

pytest.importorskip("bitsandbytes")
from bitsandbytes.functional import dequantize_4bit

LINEAR = {"blip2_opt": 12, "blip2_t5": 18, "llava": 14}  # of two layers: of six each; of seven and eleven; of seven


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_t5_computes_with_every_linear_layer_in_4_bits(dtype: torch.dtype, tiny_folder: Callable[[str], Path]) -> None:
    """As with the weights that the 4 bits stand for; and other loads keep transformers' own choice."""
    folder = tiny_folder("blip2_t5")
    small = load(folder, "blip2_t5", dtype, quantization="nf4")
    plain = load(folder, "blip2_t5", dtype)
    quantised = {name: part for name, part in small.base.named_modules() if type(part).__name__ == "Linear4bit"}
    assert sum(name.endswith(".wo") for name in quantised) == 2
    for name, part in quantised.items():
        weight = dequantize_4bit(part.weight.data, part.weight.quant_state)
        assert weight.dtype == dtype
        plain.base.get_submodule(name).weight.data = weight
    batch = make_batch(plain, prepare_images(plain, IMAGES))
    batch["pixel_values"] = batch["pixel_values"].to(dtype)
    with torch.no_grad():
        losses = [sum_loss(captioner, captioner.model.eval(), batch).item() for captioner in (small, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5 if dtype == torch.float32 else 0.01)
    assert T5PreTrainedModel._keep_in_fp32_modules == ["wo"]


def quantised(folder: Path, family: str, adapter: Path | None = None) -> Captioner:
    return load(folder, family, torch.float32, adapter=adapter, quantization="nf4")


@pytest.mark.parametrize("family", list(LINEAR))
def test_only_the_language_model_is_quantised(family: str, tiny_folder: Callable[[str], Path]) -> None:
    folder = tiny_folder(family)
    small, plain = quantised(folder, family), load(folder, family, torch.float32)
    names = [name for name, part in small.base.named_modules() if type(part).__name__ == "Linear4bit"]
    assert len(names) == LINEAR[family]
    assert all("language_model." in name and "lm_head" not in name for name in names)
    images = join_images(prepare_images(plain, IMAGES))
    features = [captioner.base.get_image_features(**images).pooler_output for captioner in (small, plain)]
    assert all(torch.equal(*pair) for pair in zip(*features, strict=True))


@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5"])
def test_it_trains_after_an_evaluation_and_its_adapter_comes_back(
    family: str, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tiny_folder(family)
    captioner = quantised(folder, family)
    images = prepare_images(captioner, IMAGES)
    captioner.family.generate(captioner, images, 4)
    tuned = add_random_adapter(captioner)
    checkpoint_activations(tuned)
    batch = make_batch(tuned, images)
    weights = [weight for weight in tuned.model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=0.02)
    before = loss_of(tuned, batch)
    for _ in range(5):
        tuned.model.train()
        loss = sum_loss(tuned, tuned.model, batch) / count_supervised(batch["labels"])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        after = loss_of(tuned, batch)
    assert after < before
    tuned.model.save_pretrained(tmp_path / "adapter")
    back = quantised(folder, family, tmp_path / "adapter")
    assert loss_of(back, batch) == after
    assert back.family.generate(back, images, 4) == tuned.family.generate(tuned, images, 4)


def test_without_bitsandbytes_it_says_what_to_install(
    tiny_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captioning.modelling.quantization.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install bitsandbytes"):
        quantised(tiny_folder("llava"), "llava")


@torch.no_grad()
def loss_of(captioner: Captioner, batch: dict[str, torch.Tensor]) -> float:
    captioner.model.eval()
    return sum_loss(captioner, captioner.model, batch).item()
