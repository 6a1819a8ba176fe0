"""The captioner of a run, on the device of its process."""

from pathlib import Path

import torch

from captioning.generation.settings import Params
from captioning.modelling import DTYPES, Captioner, describe_image_tokens, load


def load_captioner(model: Path, family: str, adapter: Path | None, params: Params) -> Captioner:
    """Loads the captioner on this process's device.

    Args:
        model: folder of the captioner.
        family: name of a module in `captioning.families`.
        adapter: folder of a LoRA adapter, if there is one.
        params: of the stage.

    Raises:
        UserError: what `captioning.modelling.load` refuses.
    """
    torch.set_num_threads(params.machine.threads)
    device = "cuda:0" if params.device == "cuda" else "cpu"  # of a cluster's process, its own GPU
    section = params.caption_generate
    captioner = load(model, family, DTYPES[section.precision], device, adapter, section.quantization)
    print(f"{model.name}: {describe_image_tokens(captioner)}", flush=True)
    return captioner
