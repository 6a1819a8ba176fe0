"""The small models: the texts that they learn from, the content of their folders, and that the recipe works."""

import json
import random
from pathlib import Path

import pytest
import torch

from captioning.modelling import load, prepare_images
from pipeline.core.errors import UserError
from sample import models
from sample.garments.wording import describe
from sample.pretraining.build import HELD_OUT_SEED, Recipe, caption_quality, train_captioner
from sample.pretraining.examples import core_accuracy, draw_pictures, write_proses
from sample.pretraining.tokenizer import FRAMES, train_tokenizer
from sample.pretraining.vision import word_targets
from tests.helpers.full import full

FOLDER = Path(__file__).parents[2] / "data" / "models"
CAPTIONERS = sorted(models.CAPTIONERS)


# The texts that they learn from


def test_the_shop_s_descriptions_are_not_among_the_texts() -> None:
    shown = draw_pictures(200, seed=3)
    texts = {picture.alt for picture in shown} | set(write_proses(2_000, seed=3))
    rng = random.Random(0)
    shop = {describe(picture.garment, rng).lower() for picture in shown for _ in range(5)}
    assert not texts & shop
    openings = {" ".join(text.split()[:5]) for text in shop}
    assert sum(" ".join(text.split()[:5]) in openings for text in texts) / len(texts) < 0.01


def test_texts_are_lower_case_and_pictures_are_portraits() -> None:
    shown = draw_pictures(50, seed=4)
    texts = [picture.alt for picture in shown] + write_proses(50, seed=4)
    assert all(text == text.lower() and text for text in texts)
    assert {picture.image.size for picture in shown} == {(64, 96)}


def test_pictures_are_a_function_of_their_seed() -> None:
    first, again, different = (draw_pictures(5, seed) for seed in (1, 1, 2))
    assert [picture.image.tobytes() for picture in first] == [picture.image.tobytes() for picture in again]
    assert [picture.alt for picture in first] == [picture.alt for picture in again]
    assert [picture.alt for picture in first] != [picture.alt for picture in different]


def test_alt_text_names_the_core_attributes_of_its_picture() -> None:
    shown = draw_pictures(200, seed=5)
    assert core_accuracy([picture.alt for picture in shown], [picture.garment for picture in shown]) == {
        "type": 1,
        "colour": 1,
        "pattern": 1,
    }
    wrong = core_accuracy(["a red shirt"] * 200, [picture.garment for picture in shown])
    assert max(wrong["type"], wrong["colour"]) < 0.3


def test_word_targets_mark_the_visible_words() -> None:
    targets = word_targets(["a photo of a red tee", "a red cap with a collar", "a blue tee"], min_count=2)
    assert targets.tolist() == [[1, 1], [1, 0], [0, 1]]  # red, tee


@pytest.mark.parametrize("family", sorted(FRAMES))
def test_tokenizers_frame_a_text_as_the_real_ones_do(family: str) -> None:
    tokenizer = train_tokenizer(family, ["a red shirt"] * 3, 300)
    ids = tokenizer("a red shirt")["input_ids"]
    inner = tokenizer("a red shirt", add_special_tokens=False)["input_ids"]
    begins, ends = {
        "blip2_opt": (True, False),
        "blip2_t5": (False, True),
        "llava": (True, False),
        "clip": (True, True),
    }[family]
    assert ids == [tokenizer.bos_token_id] * begins + inner + [tokenizer.eos_token_id] * ends
    assert tokenizer.decode(inner) == "a red shirt"


def test_an_unknown_model_is_named_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["models", "--only", "tiny-lava"])
    with pytest.raises(UserError, match="did you mean tiny-llava"):
        models.main()


# The content of their folders


@pytest.mark.parametrize("name", [*CAPTIONERS, "tiny-clip"])
def test_folders_are_small_and_tell_where_they_come_from(name: str) -> None:
    files = {path.name: path.stat().st_size for path in (FOLDER / name).iterdir()}
    assert sum(files.values()) < 4e6
    assert "model.safetensors" in files
    assert not [file for file in files if file.endswith((".bin", ".pt", ".pkl", ".py"))]
    record = json.loads((FOLDER / name / "provenance.json").read_text(encoding="utf-8"))
    assert {"seed", "vision_steps", "language_steps", "versions", "seconds", "image_processor"} <= set(record)


@pytest.mark.parametrize("name", CAPTIONERS)
def test_captions_of_new_pictures_name_type_colour_and_pattern(name: str) -> None:
    captioner = load(FOLDER / name, models.CAPTIONERS[name], torch.float32)
    shown = draw_pictures(90, seed=77)
    captions = captioner.family.generate(captioner, prepare_images(captioner, [picture.image for picture in shown]), 48)
    shares = core_accuracy([caption.text for caption in captions], [picture.garment for picture in shown])
    assert min(shares.values()) > 0.85
    assert all(caption.finished for caption in captions)


# That the recipe works


@full
@pytest.mark.slow
def test_a_few_steps_teach_a_model_to_see() -> None:
    recipe = Recipe(pictures=4_000, proses=1_000, held_out=200, vision_steps=1_500, language_steps=250)
    captioner, losses = train_captioner("llava", recipe)
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])
    shown = [picture.garment for picture in draw_pictures(recipe.held_out, recipe.seed + HELD_OUT_SEED)]
    constant = [
        core_accuracy([f"a {kind} with {pattern}".strip()] * len(shown), shown)
        for kind, pattern in (("white dress", "stripes"), ("black shirt", "checks"), ("red jacket", "dots"))
    ]
    learned = caption_quality(captioner, recipe)
    for attribute in ("type", "colour"):
        assert learned[attribute] > 2 * max(shares[attribute] for shares in constant)
