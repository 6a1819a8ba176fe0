"""Model folders `data/models/<name>`: the model's files, or a `hub.json` with its id and revision on the hub."""

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.params import suggest

MODELS = Path("data/models")
PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]  # files to download: no pickles, no code
COMMIT = re.compile(r"[0-9a-f]{40}")


def locate(folder: Path | str) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` for a model: a folder on disk, or a hub id with its revision.

    Raises:
        UserError: the folder has neither a `config.json` nor a `hub.json` with both keys.
    """
    folder = Path(folder)
    if (folder / "hub.json").is_file():
        pinned = read_pin(folder)
        return {"pretrained_model_name_or_path": pinned["id"], "revision": pinned["revision"]}
    check_folder(folder)
    return {"pretrained_model_name_or_path": str(folder), "local_files_only": True}


def read_pin(folder: Path) -> dict[str, str]:
    """Read `id` and `revision` from a folder's hub.json.

    Raises:
        UserError: the revision is missing, or can move (a branch, a tag).
    """
    path = folder / "hub.json"
    values = read_json(path)
    if isinstance(values, dict) and "id" in values and not COMMIT.fullmatch(str(values.get("revision"))):
        problem = f"is {values['revision']!r}" if "revision" in values else "is missing"
        raise UserError(
            f"{path}: revision {problem}; give the 40 hexadecimal digits of a commit (a branch can move, and "
            f"with it the results); commits are listed on https://huggingface.co/{values['id']}/commits/main"
        )
    return read_keys(path, "id", "revision")


def find_files(folder: Path | str, subfolders: Sequence[str] = ()) -> Path:
    """Return the folder with the model's files: itself, or the hub's, downloaded once to HF_HOME.

    Args:
        folder: `data/models/<name>`.
        subfolders: of the hub's repository, to download as well; the caller checks that they exist.

    Raises:
        UserError: the model does not exist, or is not on this machine and cannot be downloaded.
    """
    folder = Path(folder)
    if not (folder / "hub.json").is_file():
        check_folder(folder)
        return folder
    pinned = read_pin(folder)
    try:
        files = _download(pinned, PATTERNS, ["*/*"])
        if subfolders:
            _download(pinned, [f"{subfolder}/{pattern}" for subfolder in subfolders for pattern in PATTERNS])
    except (OSError, ValueError) as error:  # an error of the hub is an OSError, a wrong id a ValueError
        raise UserError(explain_failure(folder, error)) from error
    if not (files / "config.json").is_file() or not any(files.glob("*.safetensors")):
        raise UserError(explain_failure(folder))
    return files


def download_command(pinned: dict[str, str]) -> str:
    """Return the shell command that downloads the files of a hub.json."""
    patterns = " ".join(f"--include '{pattern}'" for pattern in PATTERNS)
    return f"hf download {pinned['id']} --revision {pinned['revision']} {patterns}"


def check_folder(folder: Path) -> Path:
    """Check that a folder exists and holds a model, before anything slow is imported, and return it.

    Raises:
        UserError: there is no such folder (the message has the nearest name), or it holds no model.
    """
    if not folder.is_dir():
        names = sorted(path.name for path in folder.parent.glob("*") if path.is_dir())
        known = f"; known models: {', '.join(names)}{suggest(folder.name, names)}" if names else ""
        raise UserError(
            f"{folder}: no model here{known}; for a model of the hub write {folder / 'hub.json'} with its id and "
            "revision"
        )
    if not (folder / "config.json").is_file() and not (folder / "hub.json").is_file():
        raise UserError(
            f"{folder}: no model here (neither config.json nor hub.json); the small models are part of the repository: "
            f"git checkout {folder}; for a model of the hub write {folder / 'hub.json'} with its id and revision"
        )
    return folder


def read_keys(path: Path, *keys: str) -> dict[str, str]:
    """Read a JSON file that has exactly these keys, each with a string that is not empty.

    Raises:
        UserError: a key is missing, unknown, or has another value.
    """
    values = read_json(path)
    texts = isinstance(values, dict) and all(isinstance(text, str) and text for text in values.values())
    if not texts or set(values) != set(keys):
        raise UserError(f"{path}: expected exactly the keys {', '.join(keys)}, each with a text")
    return values


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None


def _download(pinned: dict[str, str], patterns: list[str], ignored: list[str] | None = None) -> Path:
    """Download the hub's files of these patterns; where a request fails, use those of an earlier download.

    The hub's client does so itself when nothing answers, but not when a proxy refuses or an answer is cut off: then it
    raises the errors of its HTTP library, which are neither OSError nor ValueError.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    download = partial(
        snapshot_download,
        pinned["id"],
        revision=pinned["revision"],
        allow_patterns=patterns,
        ignore_patterns=ignored,
    )
    try:
        return Path(download())
    except HfHubHTTPError:  # the hub answered
        raise
    except HTTPError:
        return Path(download(local_files_only=True))


def explain_failure(
    folder: Path, error: Exception | None = None, lack: str = "config.json or safetensors weights (pickles are refused)"
) -> str:
    """Return the message for a model of the hub that is not complete on this machine.

    Args:
        folder: has a hub.json.
        error: what the download raised; None if it succeeded.
        lack: what is missing, if it succeeded.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    pinned = read_pin(folder)
    name, revision = pinned["id"], pinned["revision"]
    model = f"{folder}: {name} at revision {revision}"
    if isinstance(error, GatedRepoError):
        page = f"https://huggingface.co/{name}"
        return f"{model} requires consent to its terms: accept them on {page}, then run `hf auth login`"
    if isinstance(error, RepositoryNotFoundError | RevisionNotFoundError):
        return f"{model} is not on the hub, or is private: correct {folder / 'hub.json'}, or run `hf auth login`"
    if isinstance(error, ValueError):
        return f"{folder / 'hub.json'}: {error}"
    offline = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
    problem = offline if error else f"its files lack {lack}"
    return (
        f"{model} is not complete on this machine, and {problem}. On a machine with a network run\n"
        f"  {download_command(pinned)}\n"
        f"and copy the result to {constants.HF_HUB_CACHE} here (HF_HOME changes this path); or replace hub.json in "
        f"{folder} by the model's files"
    )
