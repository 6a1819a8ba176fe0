"""Captions as token ids, and batches of them. What is supervised: the caption and its EOS, nothing else."""

from collections.abc import Sequence

import torch

from captioning.modelling.captioner import Captioner, Example, token_ids

IGNORED = -100  # the label that cross-entropy leaves out


def decoder_only(captioner: Captioner, captions: Sequence[str]) -> list[Example]:
    """`prompt + caption + EOS`; the prompt (image tokens included) is not supervised."""
    prompt, eos = captioner.family.encode_prompt(captioner), captioner.eos_id
    examples = []
    for caption in token_ids(captioner, captions):
        check_image_tokens(captioner, prompt + caption)
        examples.append(Example(prompt + caption + [eos], [IGNORED] * len(prompt) + caption + [eos]))
    return examples


def encoder_decoder(captioner: Captioner, captions: Sequence[str]) -> list[Example]:
    """The encoder reads the prompt alone, never the caption; the decoder's labels are `caption + EOS`."""
    prompt, eos = captioner.family.encode_prompt(captioner), captioner.eos_id
    return [Example(list(prompt), [*caption, eos]) for caption in token_ids(captioner, captions)]


def check_image_tokens(captioner: Captioner, input_ids: Sequence[int]) -> None:
    """Compares the number of image tokens with what the model puts there. BLIP-2 drops what does not fit without a word.

    Raises:
        ValueError: there are more or fewer.
    """
    found, expected = list(input_ids).count(captioner.image_token_id), captioner.family.image_tokens(captioner)
    if found != expected:
        raise ValueError(
            f"{found} image tokens where the model puts {expected}; does a caption contain the image token?"
        )


def collate(
    examples: Sequence[Example], pixel_values: torch.Tensor | Sequence[torch.Tensor], pad_id: int
) -> dict[str, torch.Tensor]:
    """A batch for training, padded on the right to its longest example.

    The mask follows lengths, not ids: a pad id that equals EOS must not hide the EOS that ends a caption.

    Args:
        examples: of one family.
        pixel_values: (n_examples, 3, height, width), or a tensor of (3, height, width) for each example.
        pad_id: fills `input_ids`; labels are filled with -100.

    Returns:
        `pixel_values`; `input_ids` and `attention_mask` of (n_examples, longest input); `labels` of (n_examples, longest labels).
    """
    images = pixel_values if isinstance(pixel_values, torch.Tensor) else torch.stack(list(pixel_values))
    if len(images) != len(examples):
        raise ValueError(f"{len(images)} images for {len(examples)} captions")
    inputs = [example.input_ids for example in examples]
    return {
        "pixel_values": images,
        "input_ids": _pad_right(inputs, pad_id),
        "attention_mask": _pad_right([[1] * len(ids) for ids in inputs], 0),
        "labels": _pad_right([example.labels for example in examples], IGNORED),
    }


def _pad_right(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])
