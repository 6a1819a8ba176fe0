"""Features of a frozen vision side, computed once: .checkpoints/features-<hash>/00000.safetensors, … of 1,000 items.

The hash covers what they depend on: images, model, code, dtype, but no learning rate, so that the runs of a grid share
them (queued ones where CHECKPOINT_DIR is set: each runs in a folder of its own). A shard is whole or absent, and checked before use; one that is damaged or missing is computed, by whoever first
gets its lock. Reading maps the files into memory, where the system keeps as much as there is room for.

They stay when a run ends. When a run begins, the folders of the runs before it are removed, the one that was not used
for longest first, until no more than 32 GiB are left; one that a process reads is never removed. It does no harm to
remove them by hand.
"""

import fcntl
import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import safe_open

from captioning.modelling import Captioner, ImageInputs, image_inputs, join_images
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
KEPT_BYTES = 32 << 30
CODE = ("captioning/modelling", "captioning/training/feature_cache.py", "catalogue/prepared/images.py")
LIBRARIES = ("torch", "transformers", "pillow")


class FrozenFeatures:
    """Features by item: `features[item_id]["features"]` is (1, queries, width), read from its file when it is used."""

    def __init__(self, shards: Sequence[Path], ids: Sequence[str], in_use: IO[str]) -> None:
        self._shards = [_read(shard) for shard in shards]
        self._rows = {item: row for row, item in enumerate(ids)}
        self._in_use = in_use  # its lock keeps the files from being removed, as long as this object lives

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item_id: str) -> ImageInputs:
        shard, row = divmod(self._rows[item_id], SHARD_ITEMS)
        return {FEATURES: self._shards[shard][row : row + 1]}


def frozen_features(
    captioner: Captioner, model: Path, store: ImageStore, images: Path, ids: Sequence[str], root: Path
) -> FrozenFeatures:
    """The features of these items; what is not on disk is computed first.

    Args:
        model: the folder that the captioner was loaded from.
        images: the folder that `store` reads.
        root: of all checkpoints.
    """
    folder = root / f"features-{key(captioner, model, images, ids)}"
    in_use = _take(folder)
    shards = {
        folder / f"{number:05d}.safetensors": ids[start : start + SHARD_ITEMS]
        for number, start in enumerate(range(0, len(ids), SHARD_ITEMS))
    }
    _complete(captioner, store, shards)
    return FrozenFeatures(list(shards), ids, in_use)


def key(captioner: Captioner, model: Path, images: Path, ids: Sequence[str]) -> str:
    """Hash of everything that features depend on, device and threads too: they decide the last bits."""
    code = [ROOT / name for name in CODE] + [Path(str(captioner.family.__file__))]
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


def _take(folder: Path) -> IO[str]:
    """The folder, made if need be and marked as used until what is returned is closed; older ones may have to go."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / "features.lock"):
        folder.mkdir(exist_ok=True)
        in_use = open(folder / "lock", "a", encoding="utf-8")  # noqa: SIM115 - closed with what reads the features
        fcntl.flock(in_use, fcntl.LOCK_SH)
        os.utime(folder)
        _remove_old(folder)
    return in_use


def _remove_old(newest: Path) -> None:
    """Called under the lock of all folders, so that none is taken meanwhile."""
    others = [path for path in newest.parent.glob("features-*") if path.is_dir() and path != newest]
    bytes_kept = 0
    for folder in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True):
        bytes_kept += sum(path.stat().st_size for path in list_files(folder))
        if bytes_kept > KEPT_BYTES:
            with _locked(folder / "lock", wait=False) as free:
                if free:
                    shutil.rmtree(folder)


def _complete(captioner: Captioner, store: ImageStore, shards: dict[Path, Sequence[str]]) -> None:
    """Computes what is missing. Whatever another process works at is left to it, and only then waited for."""
    missing = [path for path in shards if not is_whole(path)]
    for wait in (False, True):
        for path in missing:
            with _locked(path.with_suffix(".lock"), wait) as free:
                if free and not is_whole(path):
                    _compute(captioner, store, path, shards[path])


def _compute(captioner: Captioner, store: ImageStore, path: Path, ids: Sequence[str]) -> None:
    """Batches are cut the same way whoever computes a shard, and whenever: the same bits."""
    if path.exists():
        log.warning("%s is damaged: computing it again", path)

    def compute(parts: list[Sequence[str]]) -> Iterator[Content]:
        for part in parts:
            inputs, batches = _batches(captioner, store, part), len(part) // IMAGES_AT_ONCE
            bar = track(inputs, f"image features {path.stem}", batches, "batch")
            features = torch.cat([captioner.family.frozen_features(captioner, batch).cpu() for batch in bar])
            as_bytes: Any = features.contiguous().view(torch.uint8).numpy()  # numpy has no bfloat16
            yield {FEATURES: as_bytes}, {"dtype": str(features.dtype).removeprefix("torch.")}

    keep_finished(path.parent, {path.stem: ids}, compute)


def _inputs(captioner: Captioner, store: ImageStore, ids: Sequence[str]) -> ImageInputs:
    return join_images(image_inputs(captioner, [store[item] for item in ids]))


def _batches(captioner: Captioner, store: ImageStore, ids: Sequence[str]) -> Iterator[ImageInputs]:
    """What the model takes for the images, on a GPU prepared while the model is at work on those before."""
    threads = reader_threads(captioner.base.device.type)
    return prefetch(partial(_inputs, captioner, store), make_batches(list(ids), IMAGES_AT_ONCE), threads)


def _read(path: Path) -> torch.Tensor:
    """(items, queries, width), mapped into memory."""
    with safe_open(path, "pt") as file:
        return file.get_tensor(FEATURES).view(getattr(torch, read_state(path)["dtype"]))


@contextmanager
def _locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Holds a file's lock, or gives False where another process has it and `wait` is not set."""
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
