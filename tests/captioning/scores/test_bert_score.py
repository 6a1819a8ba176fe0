"""BERTScore against its authors' program, and one pair at a time, by a model of random weights."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bert_score.utils import bert_cos_score_idf
from torch.nn.functional import normalize
from transformers import AutoModel, BartConfig, BertConfig, BertModel, BertTokenizer, T5Config

from captioning.scores import bert_score
from captioning.scores.bert_score import METRICS, load_encoder, score_pairs
from pipeline.core.errors import UserError

LAYER = 2
WORDS = ["a", "red", "blue", "dress", "skirt", "with", "long", "sleeves", ",", "and", "cotton", "##s"]
REFERENCES = {"1": ["a red dress with long sleeves", "red dresss"], "2": ["a blue skirt, cotton and long"]}
PAIRS = [
    ("2", "a blue skirt"), ("1", "a red dress"), ("1", "skirt"), ("2", "a red dress"), ("1", " a red  dress "),
    ("1", "something else"), ("2", "a red dress with long sleeves " * 8), ("1", "red dresss"), ("1", "a red dress"),
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary)}, model_max_length=32)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, initializer_range=0.5,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def score_by_program(pairs: list[tuple[str, str]], model: Path) -> np.ndarray:
    """Score by bert-score's own functions, each value the best of the references: (n, 3)."""
    encoder = load_encoder(model, LAYER, "cpu")
    network: Any = encoder.model
    network.encoder.layer = network.encoder.layer[:LAYER]
    plain = dict.fromkeys(range(len(encoder.tokenizer)), 1.0)
    plain |= {encoder.tokenizer.cls_token_id: 0, encoder.tokenizer.sep_token_id: 0}
    scores = []
    for item, caption in pairs:
        texts = REFERENCES[item]
        values = bert_cos_score_idf(network, texts, [caption] * len(texts), encoder.tokenizer, plain, device="cpu")
        scores.append(values.numpy().max(axis=0))
    return np.array(scores)


@torch.no_grad()
def score_slowly(item: str, caption: str, model: Path) -> list[float]:
    """Compute the paper's equations for one pair, a token at a time."""
    encoder = load_encoder(model, LAYER, "cpu")
    best = []
    for text in REFERENCES[item]:
        first, second = (
            normalize(encoder.model(**tokens, output_hidden_states=True).hidden_states[LAYER][0], dim=-1)
            for tokens in (encoder.tokenizer(one, truncation=True, return_tensors="pt") for one in (caption, text))
        )
        precision = np.mean([max(float(one @ other) for other in second) for one in first[1:-1]])
        recall = np.mean([max(float(one @ other) for other in first) for one in second[1:-1]])
        best.append([precision, recall, 2 * precision * recall / (precision + recall)])
    return list(np.max(best, axis=0))


def test_scores_equal_the_authors_program(model: Path) -> None:
    ours = score_pairs(PAIRS, REFERENCES, model, LAYER)
    assert tuple(ours.columns) == METRICS
    np.testing.assert_allclose(ours.to_numpy(), score_by_program(PAIRS, model), atol=1e-5)


def test_scores_equal_the_equations(model: Path) -> None:
    ours = score_pairs(PAIRS, REFERENCES, model, LAYER).to_numpy()
    np.testing.assert_allclose(ours, [score_slowly(*pair, model) for pair in PAIRS], atol=1e-5)
    assert ours[7].tolist() == pytest.approx([1, 1, 1])  # the caption is one of the references


def test_batches_shards_and_order_change_nothing(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score_pairs(PAIRS, REFERENCES, model, LAYER).to_numpy()
    monkeypatch.setattr(bert_score, "BATCH", 1)
    monkeypatch.setattr(bert_score, "SHARD", 2)
    parts = score_pairs(PAIRS[::-1], REFERENCES, model, LAYER, work=tmp_path).to_numpy()
    np.testing.assert_allclose(parts[::-1], whole, atol=1e-6)
    monkeypatch.setattr(bert_score, "load_encoder", None)  # nothing is left to encode
    again = score_pairs(PAIRS, REFERENCES, model, LAYER, work=tmp_path).to_numpy()
    assert np.array_equal(again, parts[::-1])


def test_a_caption_without_words_has_nothing_right(model: Path) -> None:
    assert score_pairs([("1", ""), ("2", " ")], REFERENCES, model, LAYER).to_numpy().tolist() == [[0, 0, 0]] * 2


def test_a_model_of_fewer_layers_is_refused(model: Path) -> None:
    with pytest.raises(UserError, match=r"bert_layer: 17 in params.yaml, but .* has 3 layers; choose 1 to 3"):
        score_pairs(PAIRS, REFERENCES, model, 17)


SMALL = {"d_model": 8, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 8, "decoder_ffn_dim": 8}
WITH_DECODERS = {
    "bart": BartConfig(**SMALL, vocab_size=20, encoder_attention_heads=2, decoder_attention_heads=2),
    "t5": T5Config(vocab_size=20, d_model=8, num_layers=2, num_heads=2, d_ff=8, d_kv=4),
}


@pytest.mark.parametrize("kind", WITH_DECODERS)
def test_a_model_with_a_decoder_is_refused(kind: str, model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path, dirs_exist_ok=True)
    AutoModel.from_config(WITH_DECODERS[kind]).save_pretrained(tmp_path)
    with pytest.raises(
        UserError, match=rf"{kind} has a decoder, .* name a BERT or RoBERTa in caption_score\.bert_model"
    ):
        score_pairs(PAIRS, REFERENCES, tmp_path, LAYER)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="cannot load a BERT"):
        load_encoder(tmp_path, 1, "cpu")
