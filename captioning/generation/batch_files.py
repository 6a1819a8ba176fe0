"""Captions as files of a batch each: a run that was killed resumes at its next batch, and processes share them."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from captioning.generation.sharing import wait_for_all
from captioning.modelling import Caption, Captioner, ImageInputs, prepare_images
from catalogue.prepared.images import ImageStore
from pipeline.batches import make_batches
from pipeline.checkpoints import load as load_checkpoint
from pipeline.checkpoints import save as save_checkpoint
from pipeline.core.progress import track
from pipeline.prefetch import prefetch, reader_threads
from pipeline.processes import rank, world_size

OPENED_TOGETHER = 8  # images, by a thread: some models make 30 MB of an image


def write_batches(
    captioner: Captioner, store: ImageStore, ids: list[str], batch_size: int, max_new_tokens: int, folder: Path
) -> list[Path]:
    """Writes one file per batch and returns the files in the order of `ids`.

    Batches already on disk are skipped; the rest are divided among the processes. Batch boundaries do not depend on the
    number of processes.

    Args:
        captioner: with or without an adapter.
        store: of the images.
        ids: items to caption.
        batch_size: items of a file.
        max_new_tokens: the limit of a caption, EOS included.
        folder: of the files, the same for all processes.
    """
    parts = {folder / f"{number:06d}.safetensors": part for number, part in enumerate(make_batches(ids, batch_size))}
    missing = [path for path in parts if load_checkpoint(path) is None]
    wait_for_all()  # before any process writes: all must find the same files missing
    own = missing[rank() :: world_size()]
    images = _read_images(captioner, store, [parts[path] for path in own])
    inputs = zip(own, images, strict=True)
    for path, batch in track(inputs, "captions", len(own), "batch") if rank() == 0 else inputs:
        save_batch(path, captioner.family.generate(captioner, batch, max_new_tokens))
    wait_for_all()
    return list(parts)


def _read_images(captioner: Captioner, store: ImageStore, parts: list[list[str]]) -> Iterator[list[ImageInputs]]:
    """Prepares the images of each part; on a GPU, threads prepare the next ones in pieces meanwhile."""
    threads = reader_threads(captioner.base.device.type)

    def prepare(piece: list[str]) -> list[ImageInputs]:
        return prepare_images(captioner, [store[item] for item in piece])

    pieces = [make_batches(part, OPENED_TOGETHER if threads else len(part)) for part in parts]
    prepared = prefetch(prepare, list(chain.from_iterable(pieces)), threads)
    return (list(chain.from_iterable(islice(prepared, len(part)))) for part in pieces)


def save_batch(path: Path, captions: Sequence[Caption]) -> None:
    """Saves the captions of a batch, with the hash that `read_batch` checks."""
    rows = [[caption.text, caption.tokens, caption.finished] for caption in captions]
    save_checkpoint(path, {}, {"captions": rows})


def read_batch(path: Path) -> list[Caption]:
    """Reads the captions of a batch that `write_batches` returned."""
    checkpoint = load_checkpoint(path)
    assert checkpoint is not None, f"{path}: gone or damaged since it was written"
    return [Caption(*row) for row in checkpoint[1]["captions"]]
