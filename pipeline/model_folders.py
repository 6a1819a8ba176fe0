"""Model folders `data/models/<name>`: weights in git, or a `hub.json` with the hub's id and revision."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.params import nearest

MODELS = Path("data/models")
WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]  # of a hub repository; never pickles, never code
COMMIT = re.compile(r"[0-9a-f]{40}")


def where(folder: Path | str) -> dict[str, Any]:
    """What `from_pretrained` needs to find the model: a folder on disk, or a hub id with its revision.

    Raises:
        UserError: neither a `config.json` nor a `hub.json` with both keys.
    """
    folder = Path(folder)
    if (folder / "hub.json").is_file():
        pinned = pin(folder)
        return {"pretrained_model_name_or_path": pinned["id"], "revision": pinned["revision"]}
    check_folder(folder)
    return {"pretrained_model_name_or_path": str(folder), "local_files_only": True}


def pin(folder: Path) -> dict[str, str]:
    """`id` and `revision` of a folder's hub.json.

    Raises:
        UserError: it has no revision, or one that can move (a branch, a tag).
    """
    path = folder / "hub.json"
    values = read_json(path)
    if isinstance(values, dict) and "id" in values and not COMMIT.fullmatch(str(values.get("revision"))):
        problem = f"is {values['revision']!r}" if "revision" in values else "is missing"
        raise UserError(
            f"{path}: revision {problem}; give the 40 hexadecimal digits of a commit (a branch moves, and with it the "
            f"results): they are listed on https://huggingface.co/{values['id']}/commits/main"
        )
    return read_keys(path, "id", "revision")


def files_of(folder: Path | str) -> Path:
    """The folder that holds the model's files: itself, or the hub's, downloaded once (to HF_HOME).

    Raises:
        UserError: no such model, or it is not on this machine and cannot be fetched.
    """
    folder = Path(folder)
    if not (folder / "hub.json").is_file():
        check_folder(folder)
        return folder
    pinned = pin(folder)
    try:
        found = _fetched(pinned)
    except (OSError, ValueError) as error:  # what the hub answers is an OSError, a wrong id a ValueError
        raise UserError(_not_fetched(folder, pinned, error)) from error
    if not (found / "config.json").is_file() or not any(found.glob("*.safetensors")):
        raise UserError(_not_fetched(folder, pinned, None))
    return found


def download_command(pinned: dict[str, str]) -> str:
    """What fetches the files of a hub.json that are used here."""
    patterns = " ".join(f"--include '{pattern}'" for pattern in WANTED)
    return f"hf download {pinned['id']} --revision {pinned['revision']} {patterns}"


def check_folder(folder: Path) -> None:
    """Whether a model can be read from here, by name and before anything heavy is imported.

    Raises:
        UserError: there is no such folder (with the nearest names), or no model in it.
    """
    if not folder.is_dir():
        names = sorted(path.name for path in folder.parent.glob("*") if path.is_dir())
        known = f"; there are: {', '.join(names)}{nearest(folder.name, names)}" if names else ""
        raise UserError(
            f"{folder}: no model here{known}; for one of the hub write {folder / 'hub.json'} with its id and revision"
        )
    if not (folder / "config.json").is_file() and not (folder / "hub.json").is_file():
        raise UserError(
            f"{folder}: no model here (neither config.json nor hub.json); the small models are part of the repository: "
            f"git checkout {folder}; for one of the hub write {folder / 'hub.json'} with its id and revision"
        )


def read_keys(path: Path, *keys: str) -> dict[str, str]:
    """A JSON file of exactly these keys, each a string that is not empty.

    Raises:
        UserError: it is not that.
    """
    values = read_json(path)
    texts = isinstance(values, dict) and all(isinstance(text, str) and text for text in values.values())
    if not texts or set(values) != set(keys):
        raise UserError(f"{path}: expected exactly the keys {', '.join(keys)}, each a text")
    return values


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None


def _fetched(pinned: dict[str, str]) -> Path:
    """The hub's files; where a request fails, those of an earlier download.

    The hub's client does the latter itself when nobody answers, but not when a proxy refuses or an answer is cut off:
    then it lets through the errors of its HTTP library, which are neither OSError nor ValueError.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    fetch = partial(
        snapshot_download,
        pinned["id"],
        revision=pinned["revision"],
        allow_patterns=WANTED,
        ignore_patterns=["*/*"],
    )
    try:
        return Path(fetch())
    except HfHubHTTPError:  # an answer of the hub
        raise
    except HTTPError:
        return Path(fetch(local_files_only=True))


def _not_fetched(folder: Path, pinned: dict[str, str], error: Exception | None) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    name, revision = pinned["id"], pinned["revision"]
    model = f"{folder}: {name} at revision {revision}"
    if isinstance(error, GatedRepoError):
        return f"{model} asks for consent: give it on https://huggingface.co/{name}, then run `hf auth login`"
    if isinstance(error, RepositoryNotFoundError | RevisionNotFoundError):
        return f"{model} is not on the hub (or not for you): correct {folder / 'hub.json'}, or run `hf auth login`"
    if isinstance(error, ValueError):
        return f"{folder / 'hub.json'}: {error}"
    offline = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
    problem = offline if error else "its files lack config.json or safetensors weights (pickled ones are refused)"
    return (
        f"{model} is not complete on this machine, and {problem}. Where there is a network run\n"
        f"  {download_command(pinned)}\n"
        f"and bring the result to {constants.HF_HUB_CACHE} here (HF_HOME moves it); or put the model's files into "
        f"{folder} in the place of hub.json"
    )
