"""The loss: every supervised token counts the same, however the effective batch is cut into parts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import TrainerCallback

from captioning.modelling import IGNORED, Captioner, apply_lora, collate, make_example, tokenize
from captioning.train import IMAGES, ITEMS
from captioning.training.examples import CaptionedImages, read_split
from captioning.training.fine_tuning import make_trainer, prepare_torch
from captioning.training.loss import count_supervised, sum_loss
from captioning.training.settings import Params
from captioning.training.trainer import CaptionTrainer
from catalogue.prepared.images import ImageStore
from pipeline.core.params import read
from tests.helpers.full import slowly

FAMILIES = ["blip2_opt", "blip2_t5", "llava"]
CAPTIONS = [
    "a red shirt",
    "striped blue trousers in cotton twill with a zip fly and button",
    "blue",
    "red shirt with short sleeves",
]


def batch_of(captioner: Captioner, captions: list[str]) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    examples = [make_example(captioner, None, ids) for ids in tokenize(captioner, captions)]
    images = [{"pixel_values": torch.randn(1, 3, 32, 32)} for _ in captions]
    return collate(examples, images, captioner.pad_id)


@pytest.mark.parametrize("family", FAMILIES)
def test_over_one_batch_it_is_the_models_own_mean(family: str, tiny_captioner: Callable[[str], Captioner]) -> None:
    captioner = tiny_captioner(family)
    batch = batch_of(captioner, CAPTIONS)
    with torch.no_grad():
        ours = sum_loss(captioner, captioner.model, batch) / count_supervised(batch["labels"])
        torch.testing.assert_close(ours, captioner.model(**batch).loss, rtol=1e-5, atol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_only_tokens_with_a_label_count(family: str, tiny_captioner: Callable[[str], Captioner]) -> None:
    """The sum over all tokens is the sum of what each label alone contributes; none, no loss."""
    captioner = tiny_captioner(family)
    batch = batch_of(captioner, CAPTIONS[:1])
    labels = batch["labels"]
    if family == "blip2_t5":  # its decoder reads labels: hiding a label changes what follows, so hide only the last
        positions = [labels.shape[1] - 1]
    else:
        positions = labels[0].ne(IGNORED).nonzero().flatten().tolist()
    with torch.no_grad():
        whole = sum_loss(captioner, captioner.model, batch)
        parts = []
        for position in positions:
            hidden = labels.clone()
            hidden[0, position] = IGNORED
            parts.append(whole - sum_loss(captioner, captioner.model, batch | {"labels": hidden}))
        nothing = sum_loss(captioner, captioner.model, batch | {"labels": torch.full_like(labels, IGNORED)})
    assert all(part > 0 for part in parts)
    assert nothing == 0
    if family != "blip2_t5":
        torch.testing.assert_close(sum(parts), whole, rtol=1e-4, atol=1e-4)


class Stop(TrainerCallback):
    """Keeps the gradient of the first effective batch, then ends the run."""

    def on_pre_optimizer_step(
        self, args: object, state: object, control: object, model: object = None, **kwargs: object
    ) -> None:
        self.gradient = torch.cat([p.grad.flatten().clone() for p in model.parameters() if p.requires_grad])  # type: ignore[attr-defined]
        raise StopIteration


@pytest.mark.parametrize("family", [FAMILIES[0], *slowly(*FAMILIES[1:])])
def test_any_split_of_the_batch_gives_the_same_gradient_and_loss(
    family: str,
    tiny_captioner: Callable[[str], Captioner],
    tiny_project: Callable[..., Path],
) -> None:
    project = tiny_project(family, {"batch_size": 16, "machine.device_batch_size": 16})
    text, gradients, losses = Path("params.yaml").read_text(), [], []
    for size in (16, 4, 1):
        Path("params.yaml").write_text(text.replace("device_batch_size: 16", f"device_batch_size: {size}"))
        trainer, stop = first_step(tiny_captioner(family), read(Params), project)
        gradients.append(stop.gradient)
        losses.append(trainer._tr_loss.item())
    for gradient, loss in zip(gradients[1:], losses[1:], strict=True):
        assert (gradient - gradients[0]).norm() / gradients[0].norm() <= 1e-6
        assert loss == pytest.approx(losses[0], rel=1e-6)


def first_step(captioner: Captioner, params: Params, project: Path) -> tuple[CaptionTrainer, Stop]:
    prepare_torch(params)
    torch.manual_seed(0)
    captioner = apply_lora(captioner, "all-linear", 4, 8, 0.0, True)
    without_dropout(captioner)
    for name, parameter in captioner.model.named_parameters():
        if "lora_B" in name:  # zero at first, and then half of the gradient is
            torch.nn.init.normal_(parameter, std=0.02)
    data = CaptionedImages(captioner, ImageStore(IMAGES), read_split(ITEMS, "train"), torch.float32)
    trainer, stop = make_trainer(captioner, data, data, params, project / "run"), Stop()
    trainer.args.max_grad_norm = 0.0  # clipping would hide a gradient of the wrong size
    trainer.add_callback(stop)
    with pytest.raises(StopIteration):
        trainer.train()
    return trainer, stop


def without_dropout(captioner: Captioner) -> None:
    for module in captioner.model.modules():
        for name in ("p", "dropout", "attention_dropout", "layerdrop"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
