"""Where long work keeps what it has done so far: `.checkpoints/<name>-<key>/`, outside DVC, removed when the output is in place.

The key is a hash of everything that the result depends on, so a changed parameter never meets an old checkpoint. What lies
there is whole or absent, and is checked against its hash when it is read. `CHECKPOINT_DIR` moves the folder.
"""

import fcntl
import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file

LOCK = "lock"


def key_folder(name: str, params: Any, inputs: Sequence[Path], libraries: Sequence[str]) -> Path:
    """The folder of a piece of work.

    Args:
        params: every parameter that it reads, as JSON takes them.
        inputs: files and folders that it reads, code included; a path that does not exist counts as empty.
        libraries: packages whose version may change the result.
    """
    versions = {library: importlib.metadata.version(library) for library in libraries}
    hashes = [(str(path.relative_to(root.parent)), sha256(path)) for root in inputs for path in files(root)]
    text = json.dumps([params, hashes, versions], sort_keys=True, default=str)
    root = Path(os.environ.get("CHECKPOINT_DIR", ".checkpoints"))
    return root / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def files(root: Path) -> list[Path]:
    """A file, or the files under a folder in sorted order, without what Python leaves there."""
    if root.is_file():
        return [root]
    return sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc")


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """The folder, locked; it is removed when the block ends well, and kept for the next try when it does not.

    Raises:
        UserError: another process works there.
    """
    with sole_writer(folder):
        yield folder
        shutil.rmtree(folder)


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Holds the folder's lock; the system frees it when the process ends, however it ends.

    Raises:
        UserError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UserError(
                f"{folder}: process {lock.read().strip() or 'unknown'} is working here; wait for it to end, or stop it"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def save(path: Path, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
    """One safetensors file: arrays, the JSON that says where the work was, and the hash of both."""
    from safetensors.numpy import save_file

    text = json.dumps(state)
    with new_file(path) as partial:
        save_file(dict(arrays), partial, {"state": text, "sha256": _digest(arrays, text)})


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """What `save` wrote there; None where there is nothing, or where it is damaged: then the work begins again."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as stored:
            about = stored.metadata()
            names = stored.keys()
            arrays = {name: stored.get_tensor(name) for name in names}
    except (SafetensorError, OSError):
        return None
    whole = bool(about) and about.get("sha256") == _digest(arrays, about["state"])
    return (arrays, json.loads(about["state"])) if whole else None


def _digest(arrays: Mapping[str, np.ndarray], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
