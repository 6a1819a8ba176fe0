"""Weights of the language model's layers shared among processes (torch's FSDP2), for models that do not fit on one GPU.

Each process keeps its part of every layer, and has a layer whole only while it computes with it (Zhao et al. 2023). What
learns, the adapter, is small and whole in every process: checkpoints are then the same files as without sharding.
"""

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from captioning.modelling import Captioner
from captioning.modelling.lora import language_model_name
from pipeline.processes import world_size


def shard(captioner: Captioner, device: torch.device) -> None:
    """Leaves each process its part of the frozen weights on `device`; the process group must exist.

    Args:
        captioner: with its adapter, on the CPU.
    """
    mesh = init_device_mesh(device.type, (world_size(),))
    language_model = captioner.base.get_submodule(language_model_name(captioner.base))
    for layer in layers(language_model):
        learning = {weight for weight in layer.parameters() if weight.requires_grad}
        fully_shard(layer, mesh=mesh, ignored_params=learning)
    # What is left stays whole; as their common root it sees that every layer is put away after each backward pass.
    whole = {weight for weight in language_model.parameters() if not isinstance(weight, DTensor)}
    fully_shard(language_model, mesh=mesh, ignored_params=whole)
    captioner.model.to(device)
    # Trainer's sign for such a model: it neither wraps it, nor moves it.
    captioner.model.is_distributed_loading_by_transformers = True


def is_sharded(captioner: Captioner) -> bool:
    return getattr(captioner.model, "is_distributed_loading_by_transformers", False)


def layers(language_model: nn.Module) -> list[nn.Module]:
    """The blocks that the model itself says must stay in one piece, outermost ones."""
    blocks = set(getattr(language_model, "_no_split_modules", None) or ())
    found = [(name, part) for name, part in language_model.named_modules() if type(part).__name__ in blocks]
    names = [name for name, _ in found]
    return [part for name, part in found if not any(name.startswith(f"{outer}.") for outer in names)]


def average_gradients(model: nn.Module) -> None:
    """Over the processes, of what learns: FSDP shares out only the weights that it was given."""
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in (weight for weight in learning if weight.grad is None):
        weight.grad = torch.zeros_like(weight)
    together = torch.cat([weight.grad.flatten() for weight in learning if weight.grad is not None])
    distributed.all_reduce(together)
    sizes = [weight.numel() for weight in learning]
    for weight, gradient in zip(learning, (together / world_size()).split(sizes), strict=True):
        weight.grad = gradient.view_as(weight)
