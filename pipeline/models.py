"""Model folders `data/models/<name>`: weights in git, or a `hub.json` with the hub's id and revision."""

import json
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

MODELS = Path("data/models")


def where(folder: Path | str) -> dict[str, Any]:
    """What `from_pretrained` needs to find the model: a folder on disk, or a hub id with its revision.

    Raises:
        UserError: neither a `config.json` nor a `hub.json` with both keys.
    """
    folder = Path(folder)
    if (folder / "hub.json").is_file():
        pinned = read_keys(folder / "hub.json", "id", "revision")
        return {"pretrained_model_name_or_path": pinned["id"], "revision": pinned["revision"]}
    if not (folder / "config.json").is_file():
        raise UserError(
            f"{folder}: no model here (neither config.json nor hub.json); the small models are part of the repository: "
            f"git checkout {folder}; for one of the hub write {folder / 'hub.json'} with its id and revision"
        )
    return {"pretrained_model_name_or_path": str(folder), "local_files_only": True}


def read_keys(path: Path, *keys: str) -> dict[str, str]:
    """A JSON file of exactly these keys, each a string that is not empty.

    Raises:
        UserError: it is not that.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None
    texts = isinstance(values, dict) and all(isinstance(text, str) and text for text in values.values())
    if not texts or set(values) != set(keys):
        raise UserError(f"{path}: expected exactly the keys {', '.join(keys)}, each a text")
    return values
