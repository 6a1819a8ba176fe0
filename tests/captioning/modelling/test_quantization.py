"""4-bit weights on a CPU: only the language model is quantised; it trains, and its adapter loads again."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from captioning.modelling import Captioner, join_images, load, prepare_images
from captioning.modelling.lora import checkpoint_activations
from captioning.training.loss import count_supervised, sum_loss
from pipeline.core.errors import UserError
from tests.captioning.families.examples import IMAGES, add_random_adapter, make_batch

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
    images = join_images(prepare_images(plain, IMAGES))
    features = [captioner.base.get_image_features(**images).pooler_output for captioner in (small, plain)]
    assert all(torch.equal(*pair) for pair in zip(*features, strict=True))


def test_it_trains_after_an_evaluation_and_its_adapter_comes_back(
    tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tiny_folder("blip2_opt")
    captioner = quantised(folder, "blip2_opt")
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
    back = quantised(folder, "blip2_opt", tmp_path / "adapter")
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
