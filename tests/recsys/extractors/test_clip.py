"""CLIP of a small model with random weights: equal to the model called by hand, item by item."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core.errors import UserError
from recsys.extractors import clip
from tests.recsys.extractors.settings import portraits, settings_of

TEXTS = ["", "red shirt", "blue hat with a zip", "red " * 40]
LONGEST = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with `data/models/tiny-clip`: 12 tokens at most, words as tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, PreTrainedTokenizerFast

    words = {
        word: number
        for number, word in enumerate(
            ["<pad>", "<s>", "</s>", "<unk>", "red", "blue", "shirt", "hat", "with", "a", "zip"]
        )
    }
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    text = {
        "vocab_size": 11,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    text |= {"max_position_embeddings": LONGEST, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 16,
    }
    torch.manual_seed(0)
    project = tmp_path_factory.mktemp("project")
    target = project / "data/models/tiny-clip"
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(target)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(target)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(target)
    return project


@pytest.fixture(autouse=True)
def _in_the_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    clip._load.cache_clear()


def test_texts_equal_the_model_called_by_hand() -> None:
    from transformers import AutoTokenizer, CLIPModel

    vectors = clip.text_vectors(TEXTS, settings_of(clip), "cpu")
    assert vectors.shape == (4, 8)
    model, tokenizer = (
        CLIPModel.from_pretrained("data/models/tiny-clip").eval(),
        AutoTokenizer.from_pretrained("data/models/tiny-clip"),
    )
    for row, text in enumerate(TEXTS):
        ids = tokenizer(text)["input_ids"]
        ids = ids if len(ids) <= LONGEST else [*ids[: LONGEST - 1], 2]
        with torch.inference_mode():
            embedding = model.get_text_features(input_ids=torch.tensor([ids])).pooler_output[0]
        np.testing.assert_allclose(vectors[row], (embedding / embedding.norm()).numpy(), atol=1e-5)


def test_pictures_follow_the_ids_and_have_length_one(store: dict[str, Image.Image]) -> None:
    ids = sorted(store)
    vectors = clip.image_vectors(ids, store, settings_of(clip), "cpu")
    assert vectors.shape == (7, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(
        clip.image_vectors(ids[::-1], store, settings_of(clip, batch_size=2), "cpu"), vectors[::-1], atol=1e-5
    )


def test_what_is_at_the_edges_of_a_portrait_is_seen_where_pictures_are_padded() -> None:
    """Two pictures that differ in nothing but their ends: cut to the middle, they are the same picture."""
    store = portraits()
    cut = clip.image_vectors(["a", "b"], store, settings_of(clip), "cpu")
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)
    whole = clip.image_vectors(["a", "b"], store, settings_of(clip, square="pad"), "cpu")
    assert np.abs(whole[0] - whole[1]).max() > 0.01
    np.testing.assert_array_equal(clip.image_vectors(["a", "b"], store, settings_of(clip), "cpu"), cut)


def test_nothing_gives_nothing() -> None:
    assert clip.text_vectors([], settings_of(clip), "cpu").shape == (0, 8)
    assert clip.image_vectors([], {}, settings_of(clip), "cpu").shape == (0, 8)


def test_an_unknown_model_says_what_to_do() -> None:
    with pytest.raises(UserError, match=r"data/models/clip-large: no model here"):
        clip.text_vectors(TEXTS, settings_of(clip, model="clip-large"), "cpu")
