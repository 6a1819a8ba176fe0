"""Checkpoints of long work: folders `.checkpoints/<name>-<key>/`, outside DVC, removed when the output is written.

The key is a hash of everything that the result depends on, so a changed parameter never meets an old checkpoint. A file
in such a folder is whole or absent, and its hash is checked when it is read. The environment variable `CHECKPOINT_DIR`
names another folder than `.checkpoints`.
"""

import fcntl
import hashlib
import importlib.metadata
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file, read_json, write_json

LOCK = "lock"
HASHES = "sha256.json"  # in a large folder: the size and hash of each other file, which need not be read again
REMOVED = ".removed-"  # begins the name of a folder that nobody needs any more
METADATA = "checkpoint"  # one key, because safetensors writes several in any order
OTHER_KIND = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
)  # errors in the header of a file that `save` did not write
CHUNK_BYTES = 1 << 20  # hashed at once
Part = TypeVar("Part")
Content = tuple[Mapping[str, np.ndarray], Mapping[str, Any]]  # arrays, and values that JSON can hold


def key_folder(name: str, params: Any, inputs: Sequence[Path], libraries: Sequence[str]) -> Path:
    """Return the checkpoint folder of a piece of work.

    Args:
        name: begins the folder's name.
        params: every parameter that the work reads, as values that JSON can hold.
        inputs: files and folders that the work reads, code included; a path that does not exist counts as empty. A
            folder with a list of `write_hashes` counts by it, where its files have the sizes of that list.
        libraries: packages whose version may change the result.
    """
    versions = {library: importlib.metadata.version(library) for library in libraries}
    hashes = [(str(path.relative_to(root.parent)), hash_file(path)) for root in inputs for path in _list_hashed(root)]
    text = json.dumps([params, hashes, versions], sort_keys=True, default=str)
    root = Path(os.environ.get("CHECKPOINT_DIR", ".checkpoints"))
    return root / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def write_hashes(folder: Path) -> None:
    """Write the size and hash of every file of a folder into `sha256.json` there."""
    files = {str(path.relative_to(folder)): [path.stat().st_size, hash_file(path)] for path in list_files(folder)}
    write_json(folder / HASHES, files)


def _list_hashed(root: Path) -> list[Path]:
    """Return the files whose hashes tell what an input holds: its list of hashes alone, where that fits its files."""
    files, listed = list_files(root), root / HASHES
    if listed not in files:
        return files
    try:
        sizes = {root / name: size for name, (size, _) in read_json(listed).items()}
    except (UserError, *OTHER_KIND):
        return files
    return [listed] if sizes == {path: path.stat().st_size for path in files if path != listed} else files


def list_files(root: Path) -> list[Path]:
    """Return a file, or the sorted files under a folder, without compiled Python."""
    if root.is_file():
        return [root]
    return sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc")


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def checkpoint_folder(folder: Path) -> Iterator[Path]:
    """Lock the folder; remove it when the block succeeds, and keep it for the next run when the block fails.

    It gets another name while it is locked, and is removed after: NFS keeps a folder in which a file is open. What a
    process still has open then goes with the next folder that is removed here.

    Raises:
        UserError: another process works there.
    """
    with lock_folder(folder):
        yield folder
        folder.rename(folder.with_name(f"{REMOVED}{folder.name}-{secrets.token_hex(4)}"))
    for removed in folder.parent.glob(f"{REMOVED}*"):
        shutil.rmtree(removed, ignore_errors=True)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system frees it when the process ends, also when it is killed.

    Raises:
        UserError: another process holds it.
    """
    with _open_lock(folder) as lock:
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _open_lock(folder: Path) -> IO[str]:
    """Return the folder's lock, held by this process; where another process has removed the folder, of a new one."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / LOCK, "a+", encoding="utf-8")  # noqa: SIM115 - closed by the caller
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with lock:
                lock.seek(0)
                raise UserError(
                    f"{folder}: process {lock.read().strip() or 'unknown'} is working here; wait for it to end, or "
                    "stop it"
                ) from None
        try:
            if os.path.samestat(os.fstat(lock.fileno()), os.stat(folder / LOCK)):
                return lock
        except FileNotFoundError:
            pass
        lock.close()


@contextmanager
def temporary_if_none(folder: Path | None) -> Iterator[Path]:
    """Yield the folder, or a temporary one that is removed afterwards, for callers that need not resume."""
    if folder:
        yield folder
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)


def keep_finished(
    folder: Path, parts: Mapping[str, Part], compute: Callable[[list[Part]], Iterable[Content]]
) -> list[Path]:
    """Compute the parts of a piece of work, save each as soon as it is finished, and return their files in order.

    A part whose file is whole is not computed again, so a killed run resumes at its first unfinished part.

    Args:
        folder: holds the files; see `part_path`.
        parts: name -> input of `compute`.
        compute: yields arrays and state of each part that it gets, in order. It is not called if no part is missing,
            so it may load what is slow to load.
    """
    paths = {name: part_path(folder, name) for name in parts}
    missing = [name for name, path in paths.items() if not is_whole(path)]
    if missing:
        contents = compute([parts[name] for name in missing])
        for name, (arrays, state) in zip(missing, contents, strict=True):
            save(paths[name], arrays, state)
    return list(paths.values())


def part_path(folder: Path, name: str) -> Path:
    """Return the file of a part that `keep_finished` writes."""
    return folder / f"{name}.safetensors"


def save(path: Path, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
    """Write a safetensors file of arrays, a state of JSON values, and the hash of both; equal content, equal bytes."""
    from safetensors.numpy import save_file

    text = json.dumps(state)
    contiguous = {name: np.require(array, requirements="C") for name, array in arrays.items()}  # the format's order
    with new_file(path) as partial:
        save_file(contiguous, partial, {METADATA: json.dumps({"state": text, "sha256": _digest(arrays, text)})})


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Read what `save` wrote; return None if the file is missing or damaged, so that the work is done again."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as stored:
            metadata = json.loads(stored.metadata()[METADATA])
            names = stored.keys()
            arrays = {name: stored.get_tensor(name) for name in names}
        whole = metadata["sha256"] == _digest(arrays, metadata["state"])
        return (arrays, json.loads(metadata["state"])) if whole else None
    except (SafetensorError, OSError, *OTHER_KIND):
        return None


def load_part(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file that `keep_finished` returned.

    Raises:
        UserError: it was removed or damaged in the meantime.
    """
    content = load(path)
    if content is None:
        refuse_lost_part(path)
    return content


def refuse_lost_part(path: Path) -> NoReturn:
    """Refuse to go on without a finished part.

    Raises:
        UserError: always.
    """
    raise UserError(f"{path}: removed or damaged while this run used it; run `dvc repro` again")


def read_state(path: Path) -> dict[str, Any]:
    """Read the state of a whole file of `save`, without its arrays."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as stored:
        return json.loads(json.loads(stored.metadata()[METADATA])["state"])


def is_whole(path: Path) -> bool:
    """Check whether a file is what `save` wrote, as `load` does but without its arrays in memory.

    The file is read as its format says: the header's length in 8 bytes, the header in JSON, the arrays' bytes.
    """
    try:
        with open(path, "rb") as file:
            length, size = int.from_bytes(file.read(8), "little"), path.stat().st_size
            header = json.loads(file.read(min(length, size)))
            metadata = json.loads(header.pop("__metadata__")[METADATA])
            if size != 8 + length + max((array["data_offsets"][1] for array in header.values()), default=0):
                return False
            digest = hashlib.sha256(metadata["state"].encode())
            for name in sorted(header):
                digest.update(name.encode())
                start, end = (8 + length + offset for offset in header[name]["data_offsets"])
                file.seek(start)
                for position in range(start, end, CHUNK_BYTES):
                    digest.update(file.read(min(CHUNK_BYTES, end - position)))
            return digest.hexdigest() == metadata["sha256"]
    except (OSError, *OTHER_KIND):  # no file, or not what `save` wrote
        return False


def _digest(arrays: Mapping[str, np.ndarray], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
