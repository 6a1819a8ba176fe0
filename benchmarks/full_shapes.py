"""Write a captioner with random weights in the shapes of BLIP-2-OPT-2.7B, for timings; nothing is downloaded."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipImageProcessorPil,
    OPTConfig,
)

QUERIES = 32
PIXELS = 224
VOCABULARY = 50304
POSITIONS = 2048


def write(folder: Path, divide: int, tokenizer_from: Path, text_layers: int | None = None) -> Path:
    """Write a model folder in bf16, with the tokenizer of a small model.

    Args:
        folder: where to write it.
        divide: divides widths, depths and heads (1, 2 or 4).
        tokenizer_from: the folder of the small model.
        text_layers: layers of the language model (default: those of the shape); no image feature uses it.
    """
    tokenizer: Any = AutoTokenizer.from_pretrained(tokenizer_from)
    shapes = config(tokenizer, divide)
    if text_layers:
        shapes.get_text_config().num_hidden_layers = text_layers
    random_weights(shapes).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    BlipImageProcessorPil(size={"height": PIXELS, "width": PIXELS}).save_pretrained(folder)
    return folder


def config(tokenizer: Any, divide: int) -> Blip2Config:
    """Return the shapes of the published config with the special tokens of this tokenizer."""
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    text: dict[str, Any] = sizes(2560, 32, 32, divide) | {"ffn_dim": 10240 // divide}
    vision: dict[str, Any] = sizes(1408, 39, 16, divide) | {"intermediate_size": 6144 // divide}
    qformer: dict[str, Any] = sizes(768, 12, 12, divide) | {"intermediate_size": 3072 // divide}
    text |= {"word_embed_proj_dim": text["hidden_size"], "vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS}
    return Blip2Config(
        vision_config=Blip2VisionConfig(**vision, image_size=PIXELS, initializer_range=0.02),
        qformer_config=Blip2QFormerConfig(**qformer, encoder_hidden_size=vision["hidden_size"]),
        text_config=OPTConfig(**text, **ids),
        num_query_tokens=QUERIES,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )


def sizes(width: int, layers: int, heads: int, divide: int) -> dict[str, int]:
    """Return the sizes of a transformer under the names that its config uses."""
    return {
        "hidden_size": width // divide,
        "num_hidden_layers": layers // divide,
        "num_attention_heads": heads // divide,
    }


def random_weights(config: Blip2Config) -> Any:
    """Make a model in bf16 with random weights, the same at every call."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        model = Blip2ForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    torch.nn.init.normal_(model.query_tokens, std=0.1)  # they start at zero, and equal queries stay equal
    return model
