"""Greedy captions in batches. Prompts of different length are padded on the left: all captions begin together."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from captioning.modelling.captioner import FEATURES, Caption, Captioner, ImageInputs
from captioning.modelling.decoding import decode_unfinished
from captioning.modelling.encoding import join_images, make_prompt, pad_examples
from pipeline.core.errors import UserError

Decode = Callable[..., torch.Tensor]


@torch.inference_mode()
def generate_greedily(
    captioner: Captioner,
    images: Sequence[ImageInputs],
    max_new_tokens: int,
    decode: Decode | None = decode_unfinished,
) -> list[Caption]:
    """Writes a caption for each image, without dropout, and leaves the model in the mode it was in.

    Args:
        captioner: with or without an adapter.
        images: of `captioning.modelling.prepare_images`, or cached features.
        max_new_tokens: the limit of what is generated, EOS included; the prompt does not count.
        decode: `custom_generate` of transformers; None is its own loop.

    Raises:
        UserError: the language model has learned fewer positions than prompt and caption may need.
    """
    if not images:
        return []
    prompts = pad_examples([make_prompt(captioner, image) for image in images], captioner.pad_id, left=True)
    _check_positions(captioner, prompts["input_ids"].shape[1], max_new_tokens)
    inputs = move_to_device(captioner, prompts | join_images(images))
    was_training = captioner.model.training
    captioner.model.eval()
    try:
        ids = _generate_ids(captioner, inputs, _make_config(captioner, max_new_tokens), decode)
    finally:
        captioner.model.train(was_training)
    return [_make_caption(captioner, row) for row in ids.tolist()]


def _check_positions(captioner: Captioner, prompt: int, max_new_tokens: int) -> None:
    if captioner.positions is None:
        return
    before = 1 if captioner.is_encoder_decoder else prompt  # the decoder's start token, or the prompt
    longest = captioner.positions - before + 1  # what is generated last is not read again
    if max_new_tokens > longest:
        raise UserError(
            f"params.yaml: caption_generate.max_new_tokens: {max_new_tokens}, but the language model takes "
            f"{captioner.positions} tokens, {before} of them before the caption; choose at most {longest}"
        )


def move_to_device(captioner: Captioner, inputs: ImageInputs) -> ImageInputs:
    """Moves inputs to the model's device; floating-point numbers take the model's dtype."""
    device, dtype = captioner.base.device, captioner.base.dtype
    return {name: values.to(device, dtype if values.is_floating_point() else None) for name, values in inputs.items()}


def _generate_ids(
    captioner: Captioner, inputs: dict[str, torch.Tensor], config: GenerationConfig, decode: Decode | None
) -> torch.Tensor:
    """Generates what follows the prompt: (n_images, at most max_new_tokens)."""
    prefix = 1 if captioner.is_encoder_decoder else inputs["input_ids"].shape[1]  # T5: the decoder's start token
    if FEATURES in inputs:
        embeds = _embed(captioner, inputs)
        prefix = prefix if captioner.is_encoder_decoder else 0
        ids = captioner.base.language_model.generate(
            inputs_embeds=embeds,
            attention_mask=inputs["attention_mask"],
            generation_config=config,
            custom_generate=decode,
        )
    else:
        ids = captioner.model.generate(**inputs, generation_config=config, custom_generate=decode)
    return ids[:, prefix:]


def _embed(captioner: Captioner, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Embeds the prompt, with kept features at its image tokens; BLIP-2's own `generate` takes nothing but pixels."""
    arguments = captioner.feature_family.use_frozen_features(captioner, inputs[FEATURES])
    outputs: Any = arguments["mm_encoder_outputs"]["image"]
    embeds = captioner.base.get_input_embeddings()(inputs["input_ids"])  # (n_images, prompt, width)
    is_image_token = (inputs["input_ids"] == captioner.image_token_id)[..., None]
    return embeds.masked_scatter(is_image_token, outputs.pooler_output.to(embeds))


def _make_config(captioner: Captioner, max_new_tokens: int) -> GenerationConfig:
    """Sets everything: a checkpoint may bring beams, sampling or a `max_length` of its own."""
    text = captioner.text_config
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=max_new_tokens,
        min_length=0,
        repetition_penalty=1.0,
        length_penalty=1.0,
        no_repeat_ngram_size=0,
        pad_token_id=captioner.pad_id,
        eos_token_id=captioner.eos_ids,
        bos_token_id=getattr(text, "bos_token_id", None),
        decoder_start_token_id=getattr(text, "decoder_start_token_id", None),
    )


def _make_caption(captioner: Captioner, ids: list[int]) -> Caption:
    ends = [index for index, token in enumerate(ids) if token in captioner.eos_ids]
    if ends:
        ids = ids[: ends[0] + 1]
    return Caption(captioner.tokenizer.decode(ids, skip_special_tokens=True).strip(), len(ids), bool(ends))
