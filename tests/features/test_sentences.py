"""Sentence models from a folder: mean pooling as by hand, the order of the texts, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from features import minilm, sentences
from pipeline.core.errors import UserError

TEXTS = ["a red dress with long sleeves and a round neck", "", "hat", "a blue hat", "hat"]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small BERT with MiniLM's words under data/models/small."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path / "data/models/small"
    tokenizer = AutoTokenizer.from_pretrained(minilm.folder(), local_files_only=True)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 8}))
    monkeypatch.chdir(tmp_path)
    sentences.load_sentence_model.cache_clear()
    return folder


def test_vectors_are_the_mean_of_the_tokens_at_length_one(model: Path) -> None:
    from transformers import AutoTokenizer, BertModel

    found = sentences.encode(TEXTS, "small", batch_size=2, device="cpu")
    assert found.shape == (5, 16)
    tokenizer, bert = AutoTokenizer.from_pretrained(model), BertModel.from_pretrained(model).eval()
    for row, text in enumerate(TEXTS):
        with torch.inference_mode():
            tokens = tokenizer([text], truncation=True, max_length=8, return_tensors="pt")
            mean = bert(**tokens).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(found[row], (mean / mean.norm()).numpy(), atol=1e-6)


def test_batches_change_nothing_but_last_digits_and_equal_texts_are_equal(model: Path) -> None:
    alone, together = (sentences.encode(TEXTS, "small", batch_size=size, device="cpu") for size in (1, 5))
    np.testing.assert_allclose(alone, together, atol=1e-6)
    np.testing.assert_allclose(together[2], together[4], atol=1e-6)


def test_no_texts_have_no_vectors(model: Path) -> None:
    assert sentences.encode([], "small", batch_size=2, device="cpu").shape == (0, 0)


def test_another_pooling_is_refused(model: Path) -> None:
    (model / "1_Pooling").mkdir()
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (model / sentences.POOLING).write_text(json.dumps(pooling))
    with pytest.raises(UserError, match="asks for another pooling than the mean"):
        sentences.encode(TEXTS, "small", batch_size=2, device="cpu")


def test_pickled_weights_are_refused(model: Path) -> None:
    torch.save({}, model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    with pytest.raises(UserError, match="cannot load a sentence model"):
        sentences.encode(TEXTS, "small", batch_size=2, device="cpu")


def test_minilm_is_the_packages() -> None:
    found = sentences.encode(["a hat"], sentences.MINILM, batch_size=2, device="cpu")
    np.testing.assert_array_equal(found, minilm.encode(["a hat"]))
