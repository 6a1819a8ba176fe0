"""The largest part of a batch that fits in memory, and the error where none fits."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate.utils import find_executable_batch_size

from captioning.modelling import Captioner, memory, move_to_device
from captioning.training.examples import CaptionedImages, make_collator
from captioning.training.loss import sum_loss
from pipeline.core.outputs import write_json

if TYPE_CHECKING:
    from captioning.training.settings import Params

SIZE_FILE = "device_batch_size.json"


def choose_device_batch_size(captioner: Captioner, data: CaptionedImages, params: "Params", folder: Path) -> int:
    """Returns `device_batch_size` of the parameters; for `auto` the largest that fits, searched once per run.

    Args:
        captioner: with its adapter.
        data: for training.
        params: of the stage.
        folder: of the checkpoints, where the size that was found is kept.
    """
    size = params.machine.device_batch_size
    if size != "auto":
        return size
    if not (folder / SIZE_FILE).exists():
        write_json(folder / SIZE_FILE, find_largest(captioner, data, params.batch_size // params.machine.processes))
    return int(json.loads((folder / SIZE_FILE).read_text(encoding="utf-8")))


def find_largest(captioner: Captioner, data: CaptionedImages, share: int) -> int:
    """Finds the largest divisor of `share` (a process's items of an effective batch) that fits in memory.

    accelerate's search tries sizes on the longest captions, beside two numbers per trainable weight, as AdamW keeps.
    """
    sizes = [size for size in range(share, 0, -1) if share % size == 0]
    longest = sorted(range(len(data)), key=lambda row: -data.lengths[row])
    trainable = [weight for weight in captioner.model.parameters() if weight.requires_grad]

    def attempt(size: int) -> int:
        optimizer = [torch.empty_like(weight, dtype=torch.float32) for weight in trainable for _ in range(2)]
        rows = [data[longest[number % len(longest)]] for number in range(size)]
        batch = make_collator(captioner.pad_id)(rows)
        captioner.model.train()
        try:
            sum_loss(captioner, captioner.model, move_to_device(captioner, batch)).backward()
        finally:
            captioner.model.zero_grad()
            captioner.model.eval()
            optimizer.clear()
        return size

    remaining = iter(sizes[1:])
    search = find_executable_batch_size(
        attempt, starting_batch_size=sizes[0], reduce_batch_size_fn=lambda: next(remaining, 0)
    )
    with explain_out_of_memory(1):
        return search()


def explain_out_of_memory(size: int | str) -> AbstractContextManager[None]:
    """Turns PyTorch's error into one line that names `device_batch_size`.

    Args:
        size: the `device_batch_size` that was tried.
    """
    smaller = {1: "is at its smallest already", "auto": "nothing fits beside the weights"}
    hint = smaller.get(size, "auto, or a smaller divisor of batch_size")
    return memory.explain_out_of_memory(
        f"params.yaml: machine.device_batch_size: {size} ({hint}); "
        "gradient_checkpointing: true, quantization: nf4 and, on several GPUs, sharding: fsdp need less too"
    )
