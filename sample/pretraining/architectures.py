"""Creates small models of the real classes, with random weights."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipImageProcessorPil,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaImageProcessorPil,
    OPTConfig,
    PreTrainedTokenizerFast,
    T5Config,
)

from captioning import modelling
from captioning.families import blip2_opt, blip2_t5, llava
from sample.pretraining.tokenizer import CLIP_TOKENS

FAMILIES = {"blip2_opt": blip2_opt, "blip2_t5": blip2_t5, "llava": llava}
HEADS = 4


@dataclass(frozen=True)
class Size:
    """Widths and depths of a model: `image` and `patch` in pixels; T5's layers are shared by encoder and decoder."""

    image: int = 64
    patch: int = 16
    vision_width: int = 96
    vision_layers: int = 3
    queries: int = 8
    qformer_layers: int = 2
    text_width: int = 128
    text_layers: int = 4


def create_captioner(family: str, tokenizer: PreTrainedTokenizerFast, size: Size) -> modelling.Captioner:
    """Create an untrained captioner of a family; the random numbers are torch's, so seed torch first."""
    module = FAMILIES[family]
    model = create_llava(tokenizer, size) if family == "llava" else create_blip2(family, tokenizer, size)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return modelling.Captioner(
        model, module.make_processor(model, create_image_processor(family, size.image), tokenizer), module
    )


def create_image_processor(
    family: str, pixels: int
) -> BlipImageProcessorPil | CLIPImageProcessorPil | LlavaImageProcessorPil:
    """Create the image processor of a family, which sees whole pictures as squares of this many pixels a side.

    BLIP-2 stretches them, LLaVA pads them, and so does the small CLIP, though the published ones crop.
    """
    square = {"height": pixels, "width": pixels}
    if family in ("blip2_opt", "blip2_t5"):
        return BlipImageProcessorPil(size=square)
    if family == "clip":
        return CLIPImageProcessorPil(size={"max_height": pixels, "max_width": pixels}, crop_size=square)
    return LlavaImageProcessorPil(size={"shortest_edge": pixels}, crop_size=square, do_pad=True)


def create_blip2(family: str, tokenizer: PreTrainedTokenizerFast, size: Size) -> Blip2ForConditionalGeneration:
    """Create a BLIP-2 whose language model is an OPT or a T5."""
    vision = Blip2VisionConfig(
        hidden_size=size.vision_width,
        intermediate_size=4 * size.vision_width,
        num_hidden_layers=size.vision_layers,
        num_attention_heads=HEADS,
        image_size=size.image,
        patch_size=size.patch,
        initializer_range=0.02,  # the default, 1e-10, expects a checkpoint
    )
    qformer = Blip2QFormerConfig(
        vocab_size=10,
        hidden_size=size.vision_width,
        intermediate_size=4 * size.vision_width,
        num_hidden_layers=size.qformer_layers,
        num_attention_heads=HEADS,
        cross_attention_frequency=1,
        encoder_hidden_size=size.vision_width,
        max_position_embeddings=32,
    )
    text = _configure_opt(tokenizer, size) if family == "blip2_opt" else _configure_t5(tokenizer, size)
    image_token = _find_image_token(tokenizer)
    config = Blip2Config(
        vision_config=vision,
        qformer_config=qformer,
        text_config=text,
        num_query_tokens=size.queries,
        image_token_index=image_token,
    )
    model = Blip2ForConditionalGeneration(config)
    with torch.no_grad():
        model.query_tokens.normal_(0, 0.1)  # queries that start equal, at zero, would stay equal
    return model


def _configure_opt(tokenizer: PreTrainedTokenizerFast, size: Size) -> OPTConfig:
    return OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.text_width,
        word_embed_proj_dim=size.text_width,
        ffn_dim=4 * size.text_width,
        num_hidden_layers=size.text_layers,
        num_attention_heads=HEADS,
        max_position_embeddings=160,
        **_name_special_ids(tokenizer),
    )


def _configure_t5(tokenizer: PreTrainedTokenizerFast, size: Size) -> T5Config:
    ids = _name_special_ids(tokenizer)
    ids["bos_token_id"] = ids["eos_token_id"]  # as the published blip2-flan-t5 has it
    ids["decoder_start_token_id"] = ids["pad_token_id"]
    return T5Config(
        vocab_size=len(tokenizer),
        d_model=size.text_width,
        d_kv=size.text_width // HEADS,
        d_ff=2 * size.text_width,
        num_layers=size.text_layers // 2,
        num_decoder_layers=size.text_layers // 2,
        num_heads=HEADS,
        feed_forward_proj="gated-gelu",
        **ids,
    )


def create_llava(tokenizer: PreTrainedTokenizerFast, size: Size) -> LlavaForConditionalGeneration:
    """Create a LLaVA with a CLIP tower and a Llama."""
    vision = CLIPVisionConfig(
        hidden_size=size.vision_width,
        intermediate_size=4 * size.vision_width,
        num_hidden_layers=size.vision_layers + 1,  # LLaVA reads the last layer but one
        num_attention_heads=HEADS,
        image_size=size.image,
        patch_size=size.patch,
        projection_dim=size.vision_width,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.text_width,
        intermediate_size=11 * size.text_width // 4,
        num_hidden_layers=size.text_layers,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        **_name_special_ids(tokenizer),
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=_find_image_token(tokenizer),
        image_seq_length=(size.image // size.patch) ** 2,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    return LlavaForConditionalGeneration(config)


def create_clip(tokenizer: PreTrainedTokenizerFast, size: Size) -> CLIPModel:
    """Create a CLIP whose tower has the shape of LLaVA's, so that it can start from its weights."""
    common: dict[str, Any] = {"num_attention_heads": HEADS, "projection_dim": 64}
    width = size.vision_width
    vision = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=size.vision_layers + 1,
        image_size=size.image,
        patch_size=size.patch,
        **common,
    )
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=2,
        max_position_embeddings=CLIP_TOKENS,
        **_name_special_ids(tokenizer),
        **common,
    )
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=64))


def _name_special_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _find_image_token(tokenizer: PreTrainedTokenizerFast) -> Any:
    return tokenizer.convert_tokens_to_ids("<image>")
