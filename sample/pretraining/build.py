"""The recipe of each small model: which world, which stages, how many steps, and how well it then does."""

import json
import time
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import CLIPProcessor, PreTrainedTokenizerFast

from captioning.modelling import Captioner, describe, make_pixel_values, prepare_images
from captioning.modelling.captioner import process_images
from pipeline.core.outputs import new_folder
from sample.pretraining.architectures import Size, captioner, clip_model, image_processor
from sample.pretraining.clip import retrieval, train_clip
from sample.pretraining.language import train_language
from sample.pretraining.tokenizer import train_tokenizer
from sample.pretraining.vision import train_vision, vision_state
from sample.pretraining.world import Picture, core_accuracy, pictures, proses

VOCABULARY = 700
HELD_OUT_SEED = 1_000_000  # added to the seed: pictures that no training sees
MAX_NEW_TOKENS = 48


@dataclass(frozen=True)
class Recipe:
    """How much of everything."""

    seed: int = 20
    pictures: int = 10_000
    proses: int = 12_000
    held_out: int = 300
    vision_steps: int = 4_500
    language_steps: int = 900
    clip_steps: int = 700
    size: Size = field(default_factory=Size)

    def scaled(self, factor: float) -> "Recipe":
        """The same with another number of steps, at least twenty of each."""
        steps = {
            name: max(20, round(getattr(self, name) * factor))
            for name in ("vision_steps", "language_steps", "clip_steps")
        }
        return replace(self, **steps)


def build_captioner(folder: Path, family: str, recipe: Recipe) -> dict[str, float]:
    """Trains a captioner and saves it as float16 safetensors with its processor; returns its share of right words on new pictures."""
    started = time.perf_counter()
    made, losses = train_captioner(family, recipe)
    quality = caption_quality(made, recipe)
    seconds = time.perf_counter() - started
    with new_folder(folder) as partial:
        made.base.half().save_pretrained(partial)
        made.processor.save_pretrained(partial)
        _write_provenance(
            partial, recipe, {**describe(made), "final_loss": sum(losses[-50:]) / len(losses[-50:])}, quality, seconds
        )
    return quality


def train_captioner(family: str, recipe: Recipe) -> tuple[Captioner, list[float]]:
    """The trained captioner, and the losses of its language stage."""
    world, texts = _world(recipe), proses(recipe.proses, recipe.seed)
    made = _untrained(family, recipe)
    pixels = make_pixel_values(made, [picture.image for picture in world])
    made.base.load_state_dict(_eyes("llava" if family == "llava" else "blip2_opt", recipe), strict=False)
    alts = [picture.alt for picture in world]
    return made, train_language(made, pixels, alts, texts, recipe.language_steps, recipe.seed)


def caption_quality(made: Captioner, recipe: Recipe) -> dict[str, float]:
    """On pictures that no training saw: shares with the right type, colour and pattern, and of finished captions."""
    unseen = pictures(recipe.held_out, recipe.seed + HELD_OUT_SEED)
    captions = made.family.generate(made, prepare_images(made, [picture.image for picture in unseen]), MAX_NEW_TOKENS)
    shares = core_accuracy([caption.text for caption in captions], [picture.garment for picture in unseen])
    return {**shares, "finished": sum(caption.finished for caption in captions) / len(captions)}


def build_clip(folder: Path, recipe: Recipe) -> dict[str, float]:
    """A CLIP that begins with the LLaVA's trained tower; returns its retrieval on new pictures."""
    started = time.perf_counter()
    world = _world(recipe)
    tokenizer = _tokenizer("clip", recipe)
    processor = CLIPProcessor(image_processor("clip", recipe.size.image), tokenizer)
    torch.manual_seed(recipe.seed)
    model = clip_model(tokenizer, recipe.size)
    tower = {name.removeprefix("model.vision_tower."): weight for name, weight in _eyes("llava", recipe).items()}
    model.vision_model.load_state_dict(tower)
    pixels = process_images(processor.image_processor, [picture.image for picture in world])
    train_clip(model, processor, pixels, [picture.alt for picture in world], recipe.clip_steps, recipe.seed)
    unseen = pictures(recipe.held_out, recipe.seed + HELD_OUT_SEED)
    unseen_pixels = processor.image_processor([picture.image for picture in unseen], return_tensors="pt")[
        "pixel_values"
    ]
    quality = {"retrieval_at_1": retrieval(model, processor, unseen_pixels, [picture.alt for picture in unseen])}
    seconds = time.perf_counter() - started
    with new_folder(folder) as partial:
        model.half().save_pretrained(partial)
        processor.save_pretrained(partial)
        _write_provenance(
            partial,
            recipe,
            {"model_class": "CLIPModel", "image_processor": type(processor.image_processor).__name__},
            quality,
            seconds,
        )
    return quality


@cache
def _world(recipe: Recipe) -> list[Picture]:
    return pictures(recipe.pictures, recipe.seed)


@cache
def _eyes(family: str, recipe: Recipe) -> dict[str, torch.Tensor]:
    """A trained vision side. Both BLIP-2 models use the same one, so it is trained once in a process."""
    made, world = _untrained(family, recipe), _world(recipe)
    pixels = make_pixel_values(made, [picture.image for picture in world])
    train_vision(made, pixels, [picture.alt for picture in world], recipe.vision_steps, recipe.seed)
    return vision_state(made)


def _untrained(family: str, recipe: Recipe) -> Captioner:
    tokenizer = _tokenizer(family, recipe)
    torch.manual_seed(recipe.seed)
    return captioner(family, tokenizer, recipe.size)


def _tokenizer(family: str, recipe: Recipe) -> PreTrainedTokenizerFast:
    """Fitted to alt-text, prose and the prompt; never to descriptions of the shop."""
    prompt = ["USER: \nDescribe the appearance of the clothing item\nASSISTANT:"] * 400
    alts = [picture.alt for picture in _world(recipe)]
    return train_tokenizer(family, [*alts, *proses(recipe.proses, recipe.seed), *prompt], VOCABULARY)


def _write_provenance(
    folder: Path, recipe: Recipe, model: dict[str, str | int | float], quality: dict[str, float], seconds: float
) -> None:
    """Where the weights come from. Not read by any stage."""
    steps = {
        name: getattr(recipe, name)
        for name in ("seed", "pictures", "proses", "held_out", "vision_steps", "language_steps", "clip_steps")
    }
    versions = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy", "pillow")}
    record = {
        "made_by": "python -m sample.models",
        **model,
        **steps,
        "held_out_quality": quality,
        "versions": versions,
        "seconds": round(seconds, 1),
    }
    (folder / "provenance.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
