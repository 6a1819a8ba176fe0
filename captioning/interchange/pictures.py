"""Captions any pictures with a captioner of the study, pre-trained or fine-tuned."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from captioning.generation.settings import CaptionGenerate
from catalogue.prepared.jpeg import shrink
from catalogue.readers.settings import CataloguePrepare
from pipeline.batches import make_batches
from pipeline.captioners import Captioners
from pipeline.core.errors import UserError
from pipeline.core.params import Section, suggest
from pipeline.model_folders import MODELS

ADAPTERS = Path("data/adapters")


class Params(Section):
    """What captioning any pictures reads of params.yaml."""

    writer: str
    captioners: Captioners
    device: Literal["cpu", "cuda"]
    catalogue_prepare: CataloguePrepare
    caption_generate: CaptionGenerate


@dataclass(frozen=True)
class Choice:
    """A captioner and how it is loaded.

    Attributes:
        name: its name in params.yaml, a folder under data/models/.
        family: its family.
        adapter: the folder of its LoRA adapter; None: pre-trained.
        params: the parameters of the study.
    """

    name: str
    family: str
    adapter: Path | None
    params: Params


def choose(params: Params, captioner: str | None, adapter: Path | None, pretrained: bool) -> Choice:
    """Choose a captioner of params.yaml and its adapter.

    Args:
        params: the parameters of the study.
        captioner: its name; default: the study's writer.
        adapter: the folder of a LoRA adapter; default: data/adapters/<captioner>, where there is one.
        pretrained: use no adapter.

    Raises:
        UserError: params.yaml has no such captioner, or both an adapter and `pretrained` are given.
    """
    if adapter and pretrained:
        raise UserError("--adapter and --pretrained exclude each other; leave one of them out")
    captioners, name = params.captioners, captioner or params.writer
    if name not in captioners:
        known = f"{', '.join(captioners)}{suggest(name, list(captioners))}"
        raise UserError(f"--captioner {name}: not in params.yaml; its captioners: {known}")
    own = ADAPTERS / name
    default = own if own.is_dir() and not pretrained else None
    return Choice(name, captioners[name].family, adapter or default, params)


def read_images(paths: list[Path], longest_side: int) -> list[Image.Image]:
    """Read pictures as `catalogue_prepare` packs them: turned upright, scaled, JPEG.

    Args:
        paths: picture files.
        longest_side: the most pixels of a side; larger pictures are scaled down.

    Raises:
        UserError: a file is missing, is no picture, or has too many pixels.
    """
    images: list[Image.Image] = []
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        images.append(Image.open(io.BytesIO(shrink(data, longest_side, str(path))[0])))
    return images


def captions(paths: list[Path], choice: Choice) -> list[str]:
    """Caption each picture, in their order.

    Raises:
        UserError: a picture cannot be read, or the model or adapter cannot be loaded.
    """
    section, device = choice.params.caption_generate, choice.params.device
    images = read_images(paths, choice.params.catalogue_prepare.image_size)

    from captioning.modelling import DTYPES, load, prepare_images  # torch: seconds
    from captioning.modelling.memory import explain_out_of_memory

    dtype, quantization = DTYPES[section.precision], section.quantization
    less = "params.yaml: lower caption_generate.batch_size, or use precision: bf16 or quantization: nf4"
    texts: list[str] = []
    with explain_out_of_memory(less):
        captioner = load(MODELS / choice.name, choice.family, dtype, device, choice.adapter, quantization)
        names = make_batches([str(path) for path in paths], section.batch_size)
        for batch, files in zip(make_batches(images, section.batch_size), names, strict=True):
            inputs = prepare_images(captioner, batch, files)
            texts += [caption.text for caption in captioner.family.generate(captioner, inputs, section.max_new_tokens)]
    return texts
