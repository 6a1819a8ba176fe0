"""Trains each small model by a recipe, measures it on new pictures and saves it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import CLIPProcessor, PreTrainedTokenizerFast

from captioning.modelling import Captioner, describe, make_pixel_values, prepare_images
from captioning.modelling.captioner import process_images
from pipeline.core.outputs import new_folder
from sample.pretraining.architectures import Size, create_captioner, create_clip, create_image_processor
from sample.pretraining.clip import retrieval, train_clip
from sample.pretraining.examples import Picture, core_accuracy, draw_pictures, write_proses
from sample.pretraining.language import train_language
from sample.pretraining.tokenizer import train_tokenizer
from sample.pretraining.vision import select_vision_weights, train_vision

VOCABULARY = 700
HELD_OUT_SEED = 1_000_000  # added to the seed, for pictures that no training sees
MAX_NEW_TOKENS = 48


@dataclass(frozen=True)
class Recipe:
    """How many pictures, texts and steps, and the size of the model."""

    seed: int = 20
    pictures: int = 10_000
    proses: int = 12_000
    held_out: int = 300
    vision_steps: int = 6_000
    language_steps: int = 900
    clip_steps: int = 700
    size: Size = field(default_factory=Size)

    def scale(self, factor: float) -> "Recipe":
        """Multiply the numbers of steps, with at least twenty of each."""
        steps = {
            name: max(20, round(getattr(self, name) * factor))
            for name in ("vision_steps", "language_steps", "clip_steps")
        }
        return replace(self, **steps)


def build_captioner(folder: Path, family: str, recipe: Recipe) -> dict[str, float]:
    """Train a captioner and save it as float16 safetensors with its processor; return its quality on new pictures."""
    started = time.perf_counter()
    captioner, losses = train_captioner(family, recipe)
    quality = caption_quality(captioner, recipe)
    seconds = time.perf_counter() - started
    with new_folder(folder) as partial:
        captioner.base.half().save_pretrained(partial)
        captioner.processor.save_pretrained(partial)
        about = {**describe(captioner), "final_loss": sum(losses[-50:]) / len(losses[-50:])}
        _write_provenance(partial, recipe, about, quality, seconds)
    return quality


def train_captioner(family: str, recipe: Recipe) -> tuple[Captioner, list[float]]:
    """Train a captioner; return it and the losses of its language stage."""
    pictures, texts = _draw_pictures(recipe), write_proses(recipe.proses, recipe.seed)
    captioner = _create_untrained(family, recipe)
    pixels = make_pixel_values(captioner, [picture.image for picture in pictures])
    vision = _train_vision_side("llava" if family == "llava" else "blip2_opt", recipe)
    captioner.base.load_state_dict(vision, strict=False)
    alts = [picture.alt for picture in pictures]
    return captioner, train_language(captioner, pixels, alts, texts, recipe.language_steps, recipe.seed)


def caption_quality(captioner: Captioner, recipe: Recipe) -> dict[str, float]:
    """Measure on new pictures the shares of captions with the right type, colour and pattern, and of finished ones."""
    unseen = draw_pictures(recipe.held_out, recipe.seed + HELD_OUT_SEED)
    inputs = prepare_images(captioner, [picture.image for picture in unseen])
    captions = captioner.family.generate(captioner, inputs, MAX_NEW_TOKENS)
    shares = core_accuracy([caption.text for caption in captions], [picture.garment for picture in unseen])
    return {**shares, "finished": sum(caption.finished for caption in captions) / len(captions)}


def build_clip(folder: Path, recipe: Recipe) -> dict[str, float]:
    """Train a CLIP that starts from LLaVA's trained tower, and save it; return its retrieval on new pictures."""
    started = time.perf_counter()
    pictures = _draw_pictures(recipe)
    tokenizer = _train_tokenizer("clip", recipe)
    processor = CLIPProcessor(create_image_processor("clip", recipe.size.image), tokenizer)
    torch.manual_seed(recipe.seed)
    model = create_clip(tokenizer, recipe.size)
    vision = _train_vision_side("llava", recipe)
    tower = {name.removeprefix("model.vision_tower."): weight for name, weight in vision.items()}
    model.vision_model.load_state_dict(tower)
    pixels = process_images(processor.image_processor, [picture.image for picture in pictures])
    train_clip(model, processor, pixels, [picture.alt for picture in pictures], recipe.clip_steps, recipe.seed)
    unseen = draw_pictures(recipe.held_out, recipe.seed + HELD_OUT_SEED)
    inputs = processor.image_processor([picture.image for picture in unseen], return_tensors="pt")
    quality = {
        "retrieval_at_1": retrieval(model, processor, inputs["pixel_values"], [picture.alt for picture in unseen])
    }
    seconds = time.perf_counter() - started
    with new_folder(folder) as partial:
        model.half().save_pretrained(partial)
        processor.save_pretrained(partial)
        about = {"model_class": "CLIPModel", "image_processor": type(processor.image_processor).__name__}
        _write_provenance(partial, recipe, about, quality, seconds)
    return quality


@cache
def _draw_pictures(recipe: Recipe) -> list[Picture]:
    """Draw the pictures of a recipe, once in a process."""
    return draw_pictures(recipe.pictures, recipe.seed)


@cache
def _train_vision_side(family: str, recipe: Recipe) -> dict[str, torch.Tensor]:
    """Train a vision side and return its weights, once in a process, because both BLIP-2 models use the same side."""
    captioner, pictures = _create_untrained(family, recipe), _draw_pictures(recipe)
    pixels = make_pixel_values(captioner, [picture.image for picture in pictures])
    train_vision(captioner, pixels, [picture.alts for picture in pictures], recipe.vision_steps, recipe.seed)
    return select_vision_weights(captioner)


def _create_untrained(family: str, recipe: Recipe) -> Captioner:
    tokenizer = _train_tokenizer(family, recipe)
    torch.manual_seed(recipe.seed)
    return create_captioner(family, tokenizer, recipe.size)


def _train_tokenizer(family: str, recipe: Recipe) -> PreTrainedTokenizerFast:
    """Fit a tokenizer to alt-text, prose and the prompt, but not to the shop's descriptions."""
    prompt = ["USER: \nDescribe the appearance of the clothing item\nASSISTANT:"] * 400
    alts = [picture.alt for picture in _draw_pictures(recipe)]
    return train_tokenizer(family, [*alts, *write_proses(recipe.proses, recipe.seed), *prompt], VOCABULARY)


def _write_provenance(
    folder: Path, recipe: Recipe, about: Mapping[str, str | int | float], quality: dict[str, float], seconds: float
) -> None:
    """Record where the weights come from; no stage reads this."""
    steps = {
        name: getattr(recipe, name)
        for name in ("seed", "pictures", "proses", "held_out", "vision_steps", "language_steps", "clip_steps")
    }
    versions = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy", "pillow")}
    record = {
        "made_by": "python -m sample.models",
        **about,
        **steps,
        "held_out_quality": quality,
        "versions": versions,
        "seconds": round(seconds, 1),
    }
    (folder / "provenance.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
