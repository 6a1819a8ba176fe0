"""Weights of the language model's layers shared among processes (torch's FSDP2), for models that do not fit on one GPU.

Each process keeps its part of every layer, and has a layer whole only while it computes with it (Zhao et al. 2023). The
adapter is small and whole in every process, so checkpoints are the same files as without sharding.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from captioning.modelling import Captioner
from captioning.modelling.lora import find_language_model
from pipeline.processes import world_size


def make_mesh(device: torch.device) -> DeviceMesh:
    """Makes the mesh of all processes, which must all call this; the process group must exist."""
    return init_device_mesh(device.type, (world_size(),))


@contextmanager
def take_turns(lock: Path) -> Iterator[None]:
    """Lets the processes of a machine run the block one after the other, by a lock on a file.

    A model that does not fit on one GPU is whole in CPU memory before it is sharded: eight processes at the same time
    would need eight times as much. No process may wait for another inside the block.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def shard(captioner: Captioner, device: torch.device, mesh: DeviceMesh) -> None:
    """Leaves each process its part of the frozen weights on `device`; waits for no other process.

    Args:
        captioner: with its adapter, on the CPU.
        device: of this process.
        mesh: of all processes.
    """
    language_model = captioner.base.get_submodule(find_language_model(captioner.base))
    for layer in list_layers(language_model):
        trainable = {weight for weight in layer.parameters() if weight.requires_grad}
        fully_shard(layer, mesh=mesh, ignored_params=trainable)
    # Other weights stay whole. As the root of all layers this module frees each of them after its backward pass.
    whole = {weight for weight in language_model.parameters() if not isinstance(weight, DTensor)}
    fully_shard(language_model, mesh=mesh, ignored_params=whole)
    captioner.model.to(device)
    # Trainer neither wraps nor moves a model that has this attribute.
    captioner.model.is_distributed_loading_by_transformers = True


def is_sharded(captioner: Captioner) -> bool:
    """Tells whether `shard` has divided the weights."""
    return getattr(captioner.model, "is_distributed_loading_by_transformers", False)


def list_layers(language_model: nn.Module) -> list[nn.Module]:
    """Lists the outermost blocks that the model's class names as inseparable (`_no_split_modules`)."""
    kinds = set(getattr(language_model, "_no_split_modules", None) or ())
    blocks = [(name, part) for name, part in language_model.named_modules() if type(part).__name__ in kinds]
    names = [name for name, _ in blocks]
    return [part for name, part in blocks if not any(name.startswith(f"{outer}.") for outer in names)]


def average_gradients(model: nn.Module) -> None:
    """Averages the gradients of trainable weights over the processes: FSDP does so only for weights that it shards."""
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in (weight for weight in trainable if weight.grad is None):
        weight.grad = torch.zeros_like(weight)
    together = torch.cat([weight.grad.flatten() for weight in trainable if weight.grad is not None])
    distributed.all_reduce(together)
    sizes = [weight.numel() for weight in trainable]
    for weight, gradient in zip(trainable, (together / world_size()).split(sizes), strict=True):
        weight.grad = gradient.view_as(weight)
