"""Small sentence models, saved by sentence-transformers itself: a BERT of 16 dimensions with MiniLM's tokenizer."""

from pathlib import Path
from typing import Any

import torch

from features.sentences import minilm_folder

WIDTH = 16
TEXTS = [
    "a red dress with long sleeves and a round neck",
    "",
    "hat",
    "a blue hat",
    "hat",
    "crêpe & bouclé",
    "wide trousers in a soft wool blend with a high waist",
]


def save_bert(folder: Path) -> None:
    """Save a BERT with random weights and its tokenizer, as transformers does."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    tokenizer = AutoTokenizer.from_pretrained(minilm_folder(), local_files_only=True)
    torch.manual_seed(0)
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, initializer_range=0.5, **sizes)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_model(
    folder: Path,
    pooling: Any = "mean",
    normalised: bool = True,
    dense: int | None = None,
    longest: int | None = None,
    **prompts: Any,
) -> Path:
    """Save a sentence model, as sentence-transformers does.

    Args:
        folder: is made.
        pooling: a mode of the library, or several.
        normalised: whether it has the module that scales vectors to length 1.
        dense: width of a linear layer after the pooling, None for no layer.
        longest: the most tokens that are read of a text, None for as many as BERT can.
        prompts: `prompts` and `default_prompt_name` of the model.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    bert = folder.with_name(f"{folder.name}-bert")
    save_bert(bert)
    transformer = Transformer(str(bert), max_seq_length=longest)
    pool = Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling)
    width = pool.get_embedding_dimension()
    torch.manual_seed(1)
    more = ([Dense(width, dense)] if dense else []) + ([Normalize()] if normalised else [])
    SentenceTransformer(modules=[transformer, pool, *more], device="cpu", **prompts).save_pretrained(str(folder))
    return folder
