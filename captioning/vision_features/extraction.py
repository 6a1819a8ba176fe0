"""BLIP-2's features of pictures: both outputs of a forward pass, and the reduction of its queries."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from captioning.modelling import DTYPES, Captioner, ImageInputs, join_images, load, move_to_device, prepare_images
from captioning.modelling.lora import find_language_model, list_lora_names
from captioning.modelling.memory import explain_out_of_memory
from captioning.vision_features.settings import Params
from catalogue.prepared.images import ImageStore
from catalogue.prepared.views import average_views
from features.components import VARIANCE_SHARE, Blocks, project_blocks
from features.shards import Compute
from pipeline.batches import make_batches
from pipeline.core.errors import UserError
from pipeline.core.progress import track
from pipeline.prefetch import prefetch, reader_threads


def open_features(model: Path, adapter: Path | None, params: Params, images: Path) -> Compute:
    """Opens what computes the features of some items, the mean over their pictures, by a captioner that is loaded once.

    Args:
        model: folder of the captioner.
        adapter: folder of a LoRA adapter.
        params: of the stage.
        images: the folder of packed images.

    Raises:
        UserError: as `load_captioner`, or the memory of the device or of the machine runs out.
    """
    size = params.caption_features.batch_size
    less = f"params.yaml: lower caption_features.batch_size ({size}), or use precision: bf16"
    with explain_out_of_memory(less):
        captioner, store = load_captioner(model, adapter, params), ImageStore(images)

    def compute(names: Sequence[str]) -> tuple[np.ndarray, ...]:
        with explain_out_of_memory(less):
            return compute_features(captioner, names, store, size)

    return lambda ids: average_views(ids, store, compute)


def load_captioner(folder: Path, adapter: Path | None, params: Params) -> Captioner:
    """Loads the model with its adapter, if there is one.

    Args:
        folder: of the model.
        adapter: folder of a LoRA adapter.
        params: of the stage.

    Raises:
        UserError: what `captioning.modelling.load` refuses, or an adapter that changes no feature.
    """
    settings = params.caption_features
    torch.set_num_threads(params.machine.threads)
    captioner = load(folder, settings.family, DTYPES[settings.precision], params.device, adapter)
    if adapter:
        check_reach(captioner, adapter)
    return captioner


def check_reach(captioner: Captioner, adapter: Path) -> None:
    """Refuses an adapter inside the language model, which no image feature passes through.

    Raises:
        UserError: the adapter changes no image feature.
    """
    inside = find_language_model(captioner.base)
    if all(name.startswith(f"{inside}.") for name in list_lora_names(captioner)):
        raise UserError(
            f"params.yaml: caption_features.features_adapter: {adapter} was trained with lora_scope: language and "
            "changes no image feature; set caption_train.lora_scope: all and train it again, or features_adapter: none"
        )


def compute_features(
    captioner: Captioner, ids: Sequence[str], store: ImageStore, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Computes visual features (n_items, width) and the output of every query (n_items, queries, width), float32."""

    def prepare(batch: list[str]) -> ImageInputs:
        return join_images(prepare_images(captioner, [store[item] for item in batch], batch))

    visual, queries, parts = [], [], make_batches(list(ids), batch_size)
    inputs = prefetch(prepare, parts, reader_threads(captioner.base.device.type))
    for images in track(inputs, "BLIP-2 features", total=len(parts), unit="batch"):
        with torch.inference_mode():
            output = captioner.base.get_image_features(**move_to_device(captioner, images))
        tokens = output.last_hidden_state.float()  # (batch, tokens, width)
        visual.append(tokens.mean(dim=1).cpu().numpy())
        queries.append(output.qformer_outputs.last_hidden_state.float().cpu().numpy())  # (batch, queries, width)
    return np.concatenate(visual), np.concatenate(queries)


def reduce_queries(queries: Blocks, how: Literal["flat", "mean", "pca95"]) -> Iterator[np.ndarray]:
    """Reduces blocks of (n, queries, width) to blocks of (n, dim)."""
    if how == "mean":
        yield from (block.mean(axis=1, dtype=np.float32) for block in queries())
        return

    def flatten() -> Iterator[np.ndarray]:
        return (block.reshape(len(block), -1) for block in queries())

    yield from flatten() if how == "flat" else project_blocks(flatten, VARIANCE_SHARE, "caption_features.queries")
