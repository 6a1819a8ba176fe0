"""Captions as files of a batch each: a run that was killed resumes at its next batch, and processes share them."""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from captioning.generation.sharing import wait_for_all
from captioning.modelling import Caption, Captioner, ImageInputs, prepare_images
from catalogue.prepared.images import ImageStore
from pipeline.batches import make_batches
from pipeline.checkpoints import Content, is_whole, keep_finished, load_part, part_path
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
    parts = {f"{number:06d}": batch for number, batch in enumerate(make_batches(ids, batch_size))}
    missing = [name for name in parts if not is_whole(part_path(folder, name))]
    wait_for_all()  # before any process writes: all must find the same batches missing
    own = {name: parts[name] for name in missing[rank() :: world_size()]}
    keep_finished(folder, own, lambda batches: caption_batches(captioner, store, batches, max_new_tokens))
    wait_for_all()
    return [part_path(folder, name) for name in parts]


def caption_batches(
    captioner: Captioner, store: ImageStore, batches: list[list[str]], max_new_tokens: int
) -> Iterator[Content]:
    """Yields the captions of each batch as a checkpoint's content; images of the next ones are opened meanwhile."""
    inputs = _read_images(captioner, store, batches)
    for images in track(inputs, "captions", len(batches), "batch") if rank() == 0 else inputs:
        captions = captioner.family.generate(captioner, images, max_new_tokens)
        yield {}, {"captions": [[caption.text, caption.tokens, caption.finished] for caption in captions]}


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
