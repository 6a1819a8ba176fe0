"""Captions as token ids, and batches of them. What is supervised: the caption and its EOS, nothing else."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from captioning.modelling.captioner import PROMPT_PREFIX, Captioner, Example, ImageInputs

IGNORED = -100  # the label that cross-entropy leaves out


def make_example(captioner: Captioner, image: ImageInputs | None, caption: list[int]) -> Example:
    """Frames a caption for training.

    Decoder-only: `prompt + caption + EOS`, the prompt (image tokens included) not supervised. Encoder-decoder: the
    encoder reads the prompt alone, never the caption; the decoder's labels are `caption + EOS`, after the
    token that the model's own generation begins with, if any (Florence-2's BOS).

    Args:
        captioner: whose prompt and EOS frame the caption.
        image: of the caption; may be None where the prompt is the same for every image.
        caption: of `tokenize`.

    Raises:
        ValueError: there are more or fewer image tokens than the model makes of this image.
    """
    prompt, answer = _frame_prompt(captioner, image), [*caption, captioner.eos_id]
    ids = prompt.input_ids + answer
    check_image_tokens(captioner, ids, image)  # of prompt and caption at once: each count walks through both
    if captioner.is_encoder_decoder:
        return Example(prompt.input_ids, captioner.forced_ids + answer)
    fields = {
        name: values + [_find_text_type(captioner, prompt.input_ids, values)] * len(answer)
        for name, values in prompt.fields.items()
    }
    return Example(ids, [IGNORED] * len(prompt.input_ids) + answer, fields)


def make_prompt(captioner: Captioner, image: ImageInputs | None) -> Example:
    """Makes the prompt with the fields of its tokens; it has no labels.

    Raises:
        ValueError: there are more or fewer image tokens than the model makes of this image.
    """
    prompt = _frame_prompt(captioner, image)
    check_image_tokens(captioner, prompt.input_ids, image)
    return prompt


def _frame_prompt(captioner: Captioner, image: ImageInputs | None) -> Example:
    named = {
        name.removeprefix(PROMPT_PREFIX): values
        for name, values in (image or {}).items()
        if name.startswith(PROMPT_PREFIX)
    }
    ids = captioner.family.encode_prompt(captioner, image) if named else captioner.prompt_ids
    return Example(ids, [], {name: values[0].tolist() for name, values in named.items() if name != "input_ids"})


def check_image_tokens(captioner: Captioner, input_ids: Sequence[int], image: ImageInputs | None = None) -> None:
    """Compares the number of image tokens with what the model fills: BLIP-2 drops what does not fit without an error.

    Raises:
        ValueError: there are more or fewer.
    """
    n_tokens = list(input_ids).count(captioner.image_token_id)
    n_filled = captioner.family.count_image_tokens(captioner, image)
    if n_tokens != n_filled:
        raise ValueError(
            f"{n_tokens} image tokens where the model fills {n_filled}; does a caption contain the image token?"
        )


def join_images(images: Sequence[ImageInputs]) -> ImageInputs:
    """Joins images to a batch along the first dimension; where other dimensions differ, zeros fill their end."""
    names = [name for name in images[0] if not name.startswith(PROMPT_PREFIX)] if images else []
    return {name: _join_tensors([image[name] for image in images]) for name in names}


def collate(examples: Sequence[Example], images: Sequence[ImageInputs], pad_id: int) -> dict[str, torch.Tensor]:
    """Makes a batch for training, padded on the right to its longest example.

    The mask follows lengths, not ids: a pad id that equals EOS must not hide the EOS that ends a caption.

    Args:
        examples: of one family.
        images: what the model takes for the image of each example.
        pad_id: fills `input_ids`; labels are filled with -100.

    Returns:
        The joined image inputs; `input_ids`, `attention_mask` and the examples' fields, (n_examples, longest input);
        `labels`, (n_examples, longest labels).
    """
    if len(images) != len(examples):
        raise ValueError(f"{len(images)} images for {len(examples)} captions")
    labels = pad([example.labels for example in examples], IGNORED)
    return {**join_images(images), **pad_examples(examples, pad_id), "labels": labels}


def pad_examples(examples: Sequence[Example], pad_id: int, left: bool = False) -> dict[str, torch.Tensor]:
    """Pads `input_ids`, `attention_mask` and the fields of examples to the longest: (n_examples, longest)."""
    rows = {name: pad([example.fields[name] for example in examples], 0, left) for name in examples[0].fields}
    inputs = [example.input_ids for example in examples]
    mask = pad([[1] * len(ids) for ids in inputs], 0, left)
    return {"input_ids": pad(inputs, pad_id, left), "attention_mask": mask, **rows}


def pad(rows: Sequence[list[int]], value: int, left: bool = False) -> torch.Tensor:
    """Fills rows with a value to the length of the longest: (n_rows, longest)."""
    longest = max(map(len, rows))
    fill = [[value] * (longest - len(row)) for row in rows]
    return torch.tensor([more + row if left else row + more for row, more in zip(rows, fill, strict=True)])


def _join_tensors(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    shape = [max(sizes) for sizes in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
    return torch.cat([_pad_to(tensor, shape) for tensor in tensors])


def _pad_to(tensor: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    missing = [length - size for length, size in zip(shape, tensor.shape[1:], strict=True)]
    if not any(missing):
        return tensor
    return functional.pad(tensor, [width for more in reversed(missing) for width in (0, more)])


def _find_text_type(captioner: Captioner, ids: list[int], types: list[int]) -> int:
    """Finds the type of a caption's tokens: the type that image tokens do not have.

    (Most models mark image tokens by 1 and text by 0; PaliGemma marks its input by 0 and its answer by 1.)
    """
    return 1 - types[ids.index(captioner.image_token_id)]
