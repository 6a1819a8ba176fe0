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

    accelerate's search tries sizes on the longest captions, without autocast, which needs a little more than training.
    """
    sizes = [size for size in range(share, 0, -1) if share % size == 0]

    def attempt(size: int) -> int:
        try_longest(captioner, data, size)
        return size

    remaining = iter(sizes[1:])
    search = find_executable_batch_size(
        attempt, starting_batch_size=sizes[0], reduce_batch_size_fn=lambda: next(remaining, 0)
    )
    with explain_out_of_memory(1):
        return search()


def try_longest(captioner: Captioner, data: CaptionedImages, size: int, autocast: bool = False) -> None:
    """Computes and drops the gradients of the longest captions, so that a batch that does not fit fails at once.

    In the order of an epoch, the longest may come after hours. Two numbers for each trainable weight lie in memory
    meanwhile, as AdamW keeps.

    Args:
        captioner: with its adapter.
        data: for training.
        size: the items of a batch on this device.
        autocast: compute in bfloat16, as training with `precision: bf16` does.
    """
    longest = sorted(range(len(data)), key=lambda row: -data.lengths[row])
    trainable = [weight for weight in captioner.model.parameters() if weight.requires_grad]
    optimizer = [torch.empty_like(weight, dtype=torch.float32) for weight in trainable for _ in range(2)]
    batch = make_collator(captioner.pad_id)([data[longest[number % len(longest)]] for number in range(size)])
    captioner.model.train()
    try:
        with torch.autocast(captioner.base.device.type, torch.bfloat16, enabled=autocast):
            loss = sum_loss(captioner, captioner.model, move_to_device(captioner, batch))
        loss.backward()
    finally:
        captioner.model.zero_grad()
        captioner.model.eval()
        optimizer.clear()


def explain_out_of_memory(size: int | str) -> AbstractContextManager[None]:
    """Turns PyTorch's error into one line that names `device_batch_size`.

    Args:
        size: the `device_batch_size` that was tried.
    """
    smaller = {1: "is at its smallest already", "auto": "nothing fits beside the weights"}
    hint = smaller.get(size, "auto, or a smaller divisor of batch_size")
    return memory.explain_out_of_memory(
        f"params.yaml: machine.device_batch_size: {size} ({hint}); "
        "machine.gradient_checkpointing: true and, on several GPUs, machine.sharding: fsdp need less too, and neither "
        "trains other captioners again; caption_train.quantization: nf4 does"
    )
