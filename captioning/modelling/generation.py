"""Greedy captions in batches. The prompt is the same for every image, so a batch needs no padding."""

import torch
from transformers import GenerationConfig

from captioning.modelling.captioner import Caption, Captioner
from captioning.modelling.encoding import check_image_tokens


@torch.inference_mode()
def greedy(captioner: Captioner, pixel_values: torch.Tensor, max_new_tokens: int, prefix: int) -> list[Caption]:
    """A caption for each image; dropout off, whatever mode the model was in.

    Args:
        pixel_values: (n_images, 3, height, width).
        max_new_tokens: the limit of what is generated, EOS included; the prompt does not count.
        prefix: how many ids the family's `generate` returns before the first generated one.
    """
    prompt = captioner.family.encode_prompt(captioner)
    check_image_tokens(captioner, prompt)
    device = captioner.base.device
    input_ids = torch.tensor([prompt] * len(pixel_values), device=device)  # (n_images, prompt)
    was_training = captioner.model.training
    captioner.model.eval()
    ids = captioner.model.generate(
        pixel_values=pixel_values.to(device, captioner.base.dtype),
        input_ids=input_ids,
        attention_mask=torch.ones_like(input_ids),
        generation_config=_config(captioner, max_new_tokens),
    )
    captioner.model.train(was_training)
    return [_caption(captioner, row) for row in ids[:, prefix:].tolist()]


def _config(captioner: Captioner, max_new_tokens: int) -> GenerationConfig:
    """Everything explicit: a checkpoint may bring beams, sampling or a `max_length` of its own."""
    text = captioner.base.config.text_config
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=max_new_tokens,
        min_length=0,
        repetition_penalty=1.0,
        length_penalty=1.0,
        pad_token_id=captioner.pad_id,
        eos_token_id=captioner.eos_id,
        bos_token_id=text.bos_token_id,
        decoder_start_token_id=getattr(text, "decoder_start_token_id", None),
    )


def _caption(captioner: Captioner, ids: list[int]) -> Caption:
    finished = captioner.eos_id in ids
    if finished:
        ids = ids[: ids.index(captioner.eos_id) + 1]
    return Caption(captioner.tokenizer.decode(ids, skip_special_tokens=True).strip(), len(ids), finished)
