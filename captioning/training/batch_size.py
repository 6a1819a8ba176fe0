"""The largest part of a batch that fits in memory, and the error where none fits."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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
SEARCHED = 0.95  # share of a GPU's memory that a search may use: training adds the buffers of several processes


def choose_device_batch_size(captioner: Captioner, data: CaptionedImages, params: "Params", folder: Path) -> int:
    """Returns `device_batch_size` of the parameters; for `auto` the largest that fits, searched once per run.

    A run that goes on with another number of processes, or on another device, searches again.

    Args:
        captioner: with its adapter.
        data: for training.
        params: of the stage.
        folder: of the checkpoints, where the size that was found is kept.
    """
    machine, device = params.machine, captioner.base.device
    if machine.device_batch_size != "auto":
        return machine.device_batch_size
    share = params.batch_size // machine.processes
    conditions = {
        "share": share,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "gradient_checkpointing": machine.gradient_checkpointing,
        "sharding": machine.sharding,
    }
    file = folder / SIZE_FILE
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if found.get("conditions") != conditions:
        with leave_room(device):
            size = find_largest(captioner, data, share, params.caption_train.precision == "bf16")
        found = {"size": size, "conditions": conditions}
        write_json(file, found)
    return int(found["size"])


@contextmanager
def leave_room(device: torch.device) -> Iterator[None]:
    """Keeps a part of a GPU's memory free meanwhile, and gives back what PyTorch holds for later."""
    if device.type != "cuda":
        yield
        return
    torch.cuda.set_per_process_memory_fraction(SEARCHED, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        torch.cuda.empty_cache()


def find_largest(captioner: Captioner, data: CaptionedImages, share: int, autocast: bool = False) -> int:
    """Finds the largest divisor of `share` (a process's items of an effective batch) that fits in memory.

    accelerate's search tries sizes on the longest captions.

    Args:
        captioner: with its adapter.
        data: for training.
        share: the items of an effective batch that a process computes.
        autocast: compute in bfloat16, as training with `precision: bf16` does.
    """
    sizes = [size for size in range(share, 0, -1) if share % size == 0]

    def attempt(size: int) -> int:
        try_longest(captioner, data, size, autocast)
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


def explain_out_of_memory(size: int | str, found: bool = False) -> AbstractContextManager[None]:
    """Turns PyTorch's error into one line that names `device_batch_size`.

    Args:
        size: the `device_batch_size` that was tried.
        found: whether it was found by `auto`, and fitted then.
    """
    hints = {1: "is at its smallest already", "auto": "nothing fits beside the weights"}
    hint = hints.get(size, "auto, or a smaller divisor of batch_size")
    if found:
        size, hint = "auto", f"{size} fitted when it was tried; free the device's memory, or give a number"
    return memory.explain_out_of_memory(
        f"params.yaml: machine.device_batch_size: {size} ({hint}); "
        "machine.gradient_checkpointing: true and, on several GPUs, machine.sharding: fsdp need less too, and neither "
        "trains other captioners again; caption_train.quantization: nf4 does"
    )
