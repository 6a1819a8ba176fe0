"""4-bit weights on a CPU: the language model alone is quantised, trains, and takes an adapter back."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from captioning.modelling import Captioner, image_inputs, join_images, load
from captioning.modelling.lora import checkpoint_activations
from captioning.training.loss import summed_loss, supervised
from pipeline.core.errors import UserError
from tests.captioning.families.examples import IMAGES, batch_of, random_adapter

pytest.importorskip("bitsandbytes")

# Two layers: of six; of seven and eleven, less `wo`, which transformers keeps in float32; of seven.
LINEAR = {"blip2_opt": 12, "blip2_t5": 16, "llava": 14}


def quantised(folder: Path, family: str, adapter: Path | None = None) -> Captioner:
    return load(folder, family, torch.float32, adapter=adapter, quantization="nf4")


@pytest.mark.parametrize("family", list(LINEAR))
def test_only_the_language_model_is_quantised(family: str, tiny_folder: Callable[[str], Path]) -> None:
    folder = tiny_folder(family)
    small, plain = quantised(folder, family), load(folder, family, torch.float32)
    names = [name for name, part in small.base.named_modules() if type(part).__name__ == "Linear4bit"]
    assert len(names) == LINEAR[family]
    assert all("language_model." in name and "lm_head" not in name for name in names)
    images = join_images(image_inputs(plain, IMAGES))
    features = [one.base.get_image_features(**images).pooler_output for one in (small, plain)]
    assert all(torch.equal(one, other) for one, other in zip(*features, strict=True))


def test_it_trains_after_an_evaluation_and_its_adapter_comes_back(
    tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tiny_folder("blip2_opt")
    captioner = quantised(folder, "blip2_opt")
    images = image_inputs(captioner, IMAGES)
    captioner.family.generate(captioner, images, 4)
    adapted = random_adapter(captioner)
    checkpoint_activations(adapted)
    batch = batch_of(adapted, images)
    weights = [weight for weight in adapted.model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=0.02)
    before = loss_of(adapted, batch)
    for _ in range(5):
        adapted.model.train()
        loss = summed_loss(adapted, adapted.model, batch) / supervised(batch["labels"])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        after = loss_of(adapted, batch)
    assert after < before
    adapted.model.save_pretrained(tmp_path / "adapter")
    back = quantised(folder, "blip2_opt", tmp_path / "adapter")
    assert loss_of(back, batch) == after
    assert back.family.generate(back, images, 4) == adapted.family.generate(adapted, images, 4)


def test_without_bitsandbytes_it_says_what_to_install(
    tiny_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captioning.modelling.quantization.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install bitsandbytes"):
        quantised(tiny_folder("llava"), "llava")


@torch.no_grad()
def loss_of(captioner: Captioner, batch: dict[str, torch.Tensor]) -> float:
    captioner.model.eval()
    return summed_loss(captioner, captioner.model, batch).item()
