"""The largest part of a batch that fits in memory, and what to say when none does."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate.utils import find_executable_batch_size

from captioning.modelling import Captioner, memory, on_device
from captioning.training.examples import CaptionedImages, collator
from captioning.training.loss import summed_loss
from pipeline.core.outputs import write_json

if TYPE_CHECKING:
    from captioning.training.settings import Params

FOUND = "device_batch_size.json"


def device_batch_size(captioner: Captioner, data: CaptionedImages, params: "Params", folder: Path) -> int:
    """As the parameters say; for `auto` the one of `folder`, where a run has found it before, or the largest that fits.

    Args:
        captioner: with its adapter.
        data: for training.
        folder: of the checkpoints.
    """
    wanted = params.caption_train.device_batch_size
    if wanted != "auto":
        return wanted
    if not (folder / FOUND).exists():
        write_json(folder / FOUND, largest(captioner, data, params.batch_size // params.processes))
    return int(json.loads((folder / FOUND).read_text(encoding="utf-8")))


def largest(captioner: Captioner, data: CaptionedImages, share: int) -> int:
    """The largest divisor of `share` (a process's items of an effective batch) that can be trained on.

    Tried by accelerate's search with the longest captions, beside what AdamW will keep: two numbers for each that learns.
    """
    sizes = [size for size in range(share, 0, -1) if share % size == 0]
    longest = sorted(range(len(data)), key=lambda row: -data.lengths[row])
    trainable = [weight for weight in captioner.model.parameters() if weight.requires_grad]

    def attempt(size: int) -> int:
        optimizer = [torch.empty_like(weight, dtype=torch.float32) for weight in trainable for _ in range(2)]
        rows = [data[longest[place % len(longest)]] for place in range(size)]
        batch = collator(captioner.pad_id)(rows)
        captioner.model.train()
        try:
            summed_loss(captioner, captioner.model, on_device(captioner, batch)).backward()
        finally:
            captioner.model.zero_grad()
            captioner.model.eval()
            optimizer.clear()
        return size

    remaining = iter(sizes[1:])
    search = find_executable_batch_size(
        attempt, starting_batch_size=sizes[0], reduce_batch_size_fn=lambda: next(remaining, 0)
    )
    with named_out_of_memory(1):
        return search()


def named_out_of_memory(size: int | str) -> AbstractContextManager[None]:
    """Args: size: device_batch_size, as it was tried."""
    smaller = {1: "is at its smallest already", "auto": "nothing fits beside the weights"}
    return memory.named_out_of_memory(
        f"params.yaml: caption_train.device_batch_size: {size} ({smaller.get(size, 'auto, or a smaller divisor of batch_size')}); "
        "gradient_checkpointing: true, quantization: nf4 and, on several GPUs, sharding: fsdp need less too"
    )
