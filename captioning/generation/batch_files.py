"""Captions as files of a batch each: a run that was killed resumes at its next batch, and nodes share them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch

from captioning.generation.settings import Params
from captioning.modelling import DTYPES, Caption, Captioner, ImageInputs, describe_image_tokens, load, prepare_images
from captioning.modelling.memory import explain_out_of_memory
from catalogue.prepared.images import ImageStore
from pipeline.batches import make_batches
from pipeline.checkpoints import is_whole, load_part, part_path, save
from pipeline.cluster import Open, Write, make_files
from pipeline.core.progress import track
from pipeline.machine import Where
from pipeline.prefetch import prefetch, reader_threads

OPENED_TOGETHER = 8  # images, by a thread: some models make 30 MB of an image
BATCHES_OF_A_TASK = 16  # at most: images of the next batches are opened meanwhile


def write_batches(
    ids: list[str], batch_size: int, folder: Path, where: Where, open_: Open, *arguments: Any
) -> list[Path]:
    """Writes one file per batch and returns the files in the order of `ids`.

    Batches already on disk are skipped; the rest are written here or shared by a cluster. Batch boundaries do not
    depend on who writes them.

    Args:
        ids: items to caption.
        batch_size: items of a file.
        folder: of the files.
        where: this process or a cluster.
        open_: `open_captioner`, or `open_captions` of a captioner that is loaded.
        arguments: of `open_`.
    """
    batches = make_batches(ids, batch_size)
    parts = {part_path(folder, f"{number:06d}"): batch for number, batch in enumerate(batches)}
    return make_files(parts, open_, *arguments, where=where, together=BATCHES_OF_A_TASK, is_whole=is_whole)


def open_captioner(model: Path, family: str, adapter: Path | None, params: Params, images: Path) -> Write:
    """Loads a captioner, and returns what writes the captions of batches.

    Args:
        model: folder of the captioner.
        family: name of a module in `captioning.families`.
        adapter: folder of a LoRA adapter, if there is one.
        params: of the stage.
        images: the folder of packed images.

    Raises:
        UserError: as `load_captioner`, or the memory of the device or of the machine runs out.
    """
    section = params.caption_generate
    less = f"lower caption_generate.batch_size ({section.batch_size}), or use precision: bf16 or quantization: nf4"
    with explain_out_of_memory(f"params.yaml: {less}"):
        captioner = load_captioner(model, family, adapter, params)
    write = open_captions(captioner, ImageStore(images), section.max_new_tokens)

    def write_or_explain(batches: Mapping[Path, list[str]]) -> None:
        with explain_out_of_memory(f"params.yaml: {less}"):
            write(batches)

    return write_or_explain


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


def open_captions(captioner: Captioner, store: ImageStore, max_new_tokens: int) -> Write:
    """Returns what writes the captions of batches by a captioner, each as soon as it is finished.

    Args:
        captioner: with or without an adapter.
        store: of the images.
        max_new_tokens: the limit of a caption, EOS included.
    """

    def write(batches: Mapping[Path, list[str]]) -> None:
        captions = caption_batches(captioner, store, list(batches.values()), max_new_tokens)
        for path, batch in zip(batches, captions, strict=True):
            save(path, {}, {"captions": [[caption.text, caption.tokens, caption.finished] for caption in batch]})

    return write


def caption_batches(
    captioner: Captioner, store: ImageStore, batches: list[list[str]], max_new_tokens: int
) -> Iterator[Sequence[Caption]]:
    """Yields the captions of each batch; images of the next ones are opened meanwhile."""
    for images in track(_read_images(captioner, store, batches), "captions", len(batches), "batch"):
        yield captioner.family.generate(captioner, images, max_new_tokens)


def _read_images(captioner: Captioner, store: ImageStore, parts: list[list[str]]) -> Iterator[list[ImageInputs]]:
    """Prepares the images of each part; on a GPU, threads prepare the next ones in pieces meanwhile."""
    threads = reader_threads(captioner.base.device.type)

    def prepare(piece: list[str]) -> list[ImageInputs]:
        return prepare_images(captioner, [store[item] for item in piece], piece)

    pieces = [make_batches(part, OPENED_TOGETHER if threads else len(part)) for part in parts]
    prepared = prefetch(prepare, list(chain.from_iterable(pieces)), threads)
    return (list(chain.from_iterable(islice(prepared, len(part)))) for part in pieces)


def read_batch(path: Path) -> list[Caption]:
    """Reads the captions of a batch that `write_batches` returned.

    Raises:
        UserError: the file was removed or damaged in the meantime.
    """
    _, state = load_part(path)
    return [Caption(*row) for row in state["captions"]]
