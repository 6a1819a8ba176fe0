"""BERTScore (Zhang et al. 2020, arXiv 1904.09675): tokens of caption and reference matched by their vectors in context.

    precision = mean over the caption's tokens of the largest cosine with a token of the reference
    recall = the same the other way round;  bert_score = their harmonic mean

The vectors are those after `bert_layer` layers of the model `bert_model`. As in the authors' program bert-score 0.3,
whose values these equal (without its weights by rarity, and not rescaled): the first and last token of a text, which
the tokenizer adds, are not counted, but others may match them; of several references each value is the best. A text
without a token has the value 0. The score of a set is the mean over its items. Pairs are scored in shards, so that a
killed run goes on from the last one that is whole.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from captioning.scores import Garments
from pipeline.batches import make_batches
from pipeline.checkpoints import Content, keep_finished, load_part, temporary_if_none
from pipeline.core.errors import UserError
from pipeline.core.progress import track
from pipeline.model_folders import find_files

METRICS: tuple[str, ...] = ("bert_score_precision", "bert_score_recall", "bert_score")
LEFT_OUT: Mapping[str, str] = {}
BATCH = 32  # pairs that are compared at once
SHARD = 16 * BATCH  # pairs a file

Pair = tuple[str, str]  # item, caption


class Encoder(NamedTuple):
    """A model with its tokenizer.

    Attributes:
        model: a BERT or its like, on its device.
        tokenizer: its tokenizer.
        layer: after how many layers the vectors are taken.
    """

    model: Any
    tokenizer: Any
    layer: int


class Tokens(NamedTuple):
    """The tokens of n texts: vectors (n, longest, dim) of length 1, and which are tokens and which are counted."""

    vectors: torch.Tensor
    known: torch.Tensor
    counted: torch.Tensor


def score(garments: Garments) -> pd.DataFrame | None:
    """Score each caption: a row each, columns METRICS; None without a model."""
    if garments.bert_model is None:
        return None
    pairs = list(zip(garments.items, garments.captions, strict=True))
    return score_pairs(
        pairs, garments.references, garments.bert_model, garments.bert_layer, garments.device, garments.work
    )


def score_pairs(
    pairs: Sequence[Pair],
    references: Mapping[str, Sequence[str]],
    model_folder: Path,
    layer: int,
    device: str = "cpu",
    work: Path | None = None,
) -> pd.DataFrame:
    """Score each (item, caption): a row each, in order, columns METRICS, float64.

    Args:
        pairs: (item, caption).
        references: item -> its references; at least one each.
        model_folder: `data/models/<name>`: safetensors weights and a tokenizer, or a hub.json.
        layer: after how many layers of the model the vectors are taken.
        device: where the model runs, `cpu` or `cuda`.
        work: the folder for shards of scores; shards that are already there are read.

    Raises:
        UserError: the model is missing or cannot be used, or has fewer layers.
    """
    ordered = sorted(set(pairs))  # captions of one item together: its references are encoded once
    shards = {_shard_name(shard, layer): shard for shard in make_batches(ordered, SHARD)}

    def compare(missing: list[list[Pair]]) -> Iterator[Content]:
        encoder = load_encoder(model_folder, layer, device)
        for shard in track(missing, "BERTScore", unit="shard"):
            batches = [compare_batch(batch, references, encoder) for batch in make_batches(shard, BATCH)]
            yield {"scores": np.concatenate(batches)}, {}

    values: list[np.ndarray] = []
    with temporary_if_none(work) as folder:
        for path in keep_finished(folder, shards, compare):
            values.extend(load_part(path)[0]["scores"])
    of_pair = dict(zip(ordered, values, strict=True))
    return pd.DataFrame([of_pair[pair] for pair in pairs], columns=list(METRICS), dtype=np.float64)


@torch.inference_mode()
def compare_batch(batch: Sequence[Pair], references: Mapping[str, Sequence[str]], encoder: Encoder) -> np.ndarray:
    """Return precision, recall and their harmonic mean of each pair, the best of its references: (n, 3) float64."""
    texts = sorted({caption for _, caption in batch} | {text for item, _ in batch for text in references[item]})
    row = {text: number for number, text in enumerate(texts)}
    tokens = encode(texts, encoder)
    against = [
        (number, row[caption], row[text]) for number, (item, caption) in enumerate(batch) for text in references[item]
    ]
    pair, first, second = (np.array(column) for column in zip(*against, strict=True))
    precision, recall = (_match(tokens, one, other) for one, other in ((first, second), (second, first)))
    total = precision + recall
    harmonic = np.divide(2 * precision * recall, total, out=np.zeros(len(total)), where=total != 0)
    best = np.full((len(batch), 3), -np.inf)
    np.maximum.at(best, pair, np.stack([precision, recall, harmonic], axis=1))
    return best


def encode(texts: Sequence[str], encoder: Encoder) -> Tokens:
    """Embed the tokens of texts; what is longer than the model's longest input is cut."""
    encoded = encoder.tokenizer(
        [text.strip() for text in texts],
        padding=True,
        truncation=True,
        max_length=min(encoder.tokenizer.model_max_length, _longest(encoder.model)),
        return_special_tokens_mask=True,
        return_tensors="pt",
    ).to(encoder.model.device)
    special = encoded.pop("special_tokens_mask").bool()
    known = encoded["attention_mask"].bool()
    hidden = encoder.model(**encoded, output_hidden_states=True).hidden_states[encoder.layer]
    return Tokens(normalize(hidden.float(), dim=-1), known, known & ~special)


def load_encoder(model_folder: Path, layer: int, device: str) -> Encoder:
    """Load a model and its tokenizer.

    Raises:
        UserError: the model is missing or cannot be used, has a decoder, or has fewer layers.
    """
    files = find_files(model_folder)
    safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    disable_progress_bar()
    try:
        model, info = AutoModel.from_pretrained(
            files, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **safe
        )
        prefix = {"add_prefix_space": True} if "roberta" in model.config.model_type else {}  # as the authors' program
        tokenizer = AutoTokenizer.from_pretrained(files, **prefix, **safe)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{model_folder}: cannot load a BERT (safetensors weights and a tokenizer are needed): {error}"
        ) from error
    if getattr(model.config, "is_encoder_decoder", False):
        raise UserError(
            f"{model_folder}: {model.config.model_type} has a decoder, but BERTScore takes the vectors of an "
            "encoder alone; name a BERT or RoBERTa in caption_score.bert_model of params.yaml"
        )
    missing = [name for name in info["missing_keys"] if not name.startswith("pooler.")]
    if missing:  # transformers only warns, and continues with random weights
        raise UserError(f"{model_folder}: {len(missing)} of its weights are missing, first {sorted(missing)[0]}")
    layers = getattr(model.config, "num_hidden_layers", 0)
    if layer > layers:
        raise UserError(
            f"caption_score.bert_layer: {layer} in params.yaml, but {model_folder} has {layers} layers; "
            f"choose 1 to {layers}"
        )
    return Encoder(model.to(device).eval(), tokenizer, layer)


def _longest(model: Any) -> int:
    """Return the longest input in tokens; RoBERTa and its like count positions from behind the padding's."""
    positions = getattr(model.config, "max_position_embeddings", 512)
    offset = model.config.pad_token_id + 1 if "roberta" in model.config.model_type else 0
    return int(positions - offset)


def _match(tokens: Tokens, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the mean largest cosine of the counted tokens of `first` with any of `second`, of each pair: (n,)."""
    one, other = torch.from_numpy(first), torch.from_numpy(second)
    cosine = tokens.vectors[one] @ tokens.vectors[other].mT  # (n, longest, longest)
    largest = cosine.masked_fill(~tokens.known[other][:, None, :], -torch.inf).amax(-1)
    counted = tokens.counted[one]
    total = largest.masked_fill(~counted, 0).double().sum(-1)
    empty = ~(counted.any(-1) & tokens.counted[other].any(-1))
    return (total / counted.sum(-1).clamp(min=1)).masked_fill(empty, 0).cpu().numpy()


def _shard_name(shard: Sequence[Pair], layer: int) -> str:
    return f"bert-{hashlib.sha256(repr((layer, shard)).encode()).hexdigest()[:16]}"
