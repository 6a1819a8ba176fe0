"""Features of a frozen vision side, computed once: .checkpoints/features-<hash>/00000.safetensors, … of 1,000 items.

The hash covers what they depend on: images, model, code, dtype, but no learning rate, so that the runs of a grid share
them (queued experiments only where CHECKPOINT_DIR is set: each runs in a folder of its own). A shard is whole or
absent, and checked before use; the first process that locks a damaged or missing shard computes it. Reading maps the
files into memory, where the system keeps as much as there is room for.

Features stay when a run ends. When a run begins, folders of earlier runs are removed, least recently used first, until
32 GiB are left; a folder that a process reads is never removed. Removing them by hand is safe.
"""

import fcntl
import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import safe_open

from captioning.modelling import Captioner, ImageInputs, join_images, prepare_images
from captioning.modelling.captioner import FEATURES
from catalogue.prepared.images import ImageStore
from pipeline.batches import make_batches
from pipeline.checkpoints import Content, hash_file, is_whole, keep_finished, list_files, read_state
from pipeline.core.progress import track
from pipeline.names import ROOT
from pipeline.prefetch import prefetch, reader_threads

log = logging.getLogger(__name__)

SHARD_ITEMS = 1_000
IMAGES_AT_ONCE = 50
MAX_BYTES = 32 << 30  # of all folders
CODE = ("captioning/modelling", "captioning/training/feature_cache.py", "catalogue/prepared/images.py")
LIBRARIES = ("torch", "transformers", "pillow")


class FrozenFeatures:
    """Features by item: `features[item_id]["features"]` is (1, queries, width), read from its file when it is used.

    Args:
        shards: files of `SHARD_ITEMS` items each.
        ids: of the items, in the order of the shards.
        lock: keeps the files from being removed as long as this object lives.
    """

    def __init__(self, shards: Sequence[Path], ids: Sequence[str], lock: IO[str]) -> None:
        self._shards = [_map_shard(shard) for shard in shards]
        self._rows = {item: row for row, item in enumerate(ids)}
        weakref.finalize(self, lock.close)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item_id: str) -> ImageInputs:
        """Returns an item's features in place of its pixels."""
        shard, row = divmod(self._rows[item_id], SHARD_ITEMS)
        return {FEATURES: self._shards[shard][row : row + 1]}


def load_features(
    captioner: Captioner, model: Path, store: ImageStore, images: Path, ids: Sequence[str], root: Path
) -> FrozenFeatures:
    """Loads the features of items; features that are not on disk are computed first.

    Args:
        captioner: whose vision side is frozen.
        model: the folder that the captioner was loaded from.
        store: of the items' images.
        images: the folder that `store` reads.
        ids: of the items.
        root: of all checkpoints.
    """
    folder = root / f"features-{make_key(captioner, model, images, ids)}"
    lock = _open_folder(folder)
    shards = {
        folder / f"{number:05d}.safetensors": ids[start : start + SHARD_ITEMS]
        for number, start in enumerate(range(0, len(ids), SHARD_ITEMS))
    }
    try:
        _compute_missing(captioner, store, shards)
    except BaseException:
        lock.close()
        raise
    return FrozenFeatures(list(shards), ids, lock)


def make_key(captioner: Captioner, model: Path, images: Path, ids: Sequence[str]) -> str:
    """Hashes everything that features depend on, device and threads too: they decide the last bits."""
    family = captioner.family.__name__.rpartition(".")[2]
    code = [ROOT / name for name in (*CODE, f"captioning/families/{family}.py")]
    hashes = [hash_file(path) for root in (model, images, *code) for path in list_files(root)]
    facts = {
        "image_processor": type(captioner.processor.image_processor).__name__,
        "dtype": str(captioner.base.dtype),
        "quantization": str(getattr(captioner.base.config, "quantization_config", None)),
        "device": captioner.base.device.type,
        "threads": torch.get_num_threads(),
        "versions": [importlib.metadata.version(library) for library in LIBRARIES],
    }
    return hashlib.sha256(json.dumps([hashes, facts, list(ids)], sort_keys=True).encode()).hexdigest()[:16]


def _open_folder(folder: Path) -> IO[str]:
    """Creates the folder and returns the lock that marks it as used; removes folders of earlier runs."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.parent / "features.lock"):
        folder.mkdir(exist_ok=True)
        lock = open(folder / "lock", "a", encoding="utf-8")  # noqa: SIM115 - closed with what reads the features
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(folder)
        _remove_old(folder)
    return lock


def _remove_old(newest: Path) -> None:
    """Removes folders beyond `MAX_BYTES`; the caller holds the lock of all folders, so none is opened meanwhile."""
    others = [path for path in newest.parent.glob("features-*") if path.is_dir() and path != newest]
    n_bytes = 0
    for folder in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True):
        n_bytes += sum(path.stat().st_size for path in list_files(folder))
        if n_bytes > MAX_BYTES:
            with _lock(folder / "lock", wait=False) as free:
                if free:  # NFS keeps a folder in which a file is open, here the lock: it goes another time
                    shutil.rmtree(folder, ignore_errors=True)


def _compute_missing(captioner: Captioner, store: ImageStore, shards: dict[Path, Sequence[str]]) -> None:
    """Computes missing shards: first those that no other process computes; then it waits for the others."""
    missing = [path for path in shards if not is_whole(path)]
    for wait in (False, True):
        for path in missing:
            with _lock(path.with_suffix(".lock"), wait) as free:
                if free and not is_whole(path):
                    _compute_shard(captioner, store, path, shards[path])


def _compute_shard(captioner: Captioner, store: ImageStore, path: Path, ids: Sequence[str]) -> None:
    """Computes a shard in batches that do not depend on the process or the moment, so that the bits are the same."""
    if path.exists():
        log.warning("%s is damaged: computing it again", path)
    family = captioner.feature_family

    def compute(parts: list[Sequence[str]]) -> Iterator[Content]:
        for part in parts:
            inputs, batches = _prepare_batches(captioner, store, part), len(part) // IMAGES_AT_ONCE
            bar = track(inputs, f"image features {path.stem}", batches, "batch")
            features = torch.cat([family.compute_frozen_features(captioner, batch).cpu() for batch in bar])
            as_bytes: Any = features.contiguous().view(torch.uint8).numpy()  # numpy has no bfloat16
            yield {FEATURES: as_bytes}, {"dtype": str(features.dtype).removeprefix("torch.")}

    keep_finished(path.parent, {path.stem: ids}, compute)


def _prepare_batch(captioner: Captioner, store: ImageStore, ids: Sequence[str]) -> ImageInputs:
    return join_images(prepare_images(captioner, [store[item] for item in ids], ids))


def _prepare_batches(captioner: Captioner, store: ImageStore, ids: Sequence[str]) -> Iterator[ImageInputs]:
    """Prepares batches of images; threads prepare the next ones where the model is on a GPU."""
    threads = reader_threads(captioner.base.device.type)
    return prefetch(partial(_prepare_batch, captioner, store), make_batches(list(ids), IMAGES_AT_ONCE), threads)


def _map_shard(path: Path) -> torch.Tensor:
    """Maps a shard into memory: (items, queries, width)."""
    with safe_open(path, "pt") as file:
        return file.get_tensor(FEATURES).view(getattr(torch, read_state(path)["dtype"]))


@contextmanager
def _lock(path: Path, wait: bool = True) -> Iterator[bool]:
    """Holds a file's lock, or yields False where another process holds it and `wait` is not set."""
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
