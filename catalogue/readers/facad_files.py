"""FACAD's JSON files: the garments, the names of categories, and words written as word ids."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError

META = "meta_all_129927.json"
META_KEYS = ("id", "description", "category", "attr", "images")
PADDING_IDS = {0, 15804, 15805, 15806}
PADDING_WORD = "nah"
REMEDY = "put FACAD's files there (see docs/data.md), or a link to a folder that has them"

Garment = dict[str, Any]  # of meta_all_129927.json


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is missing, or cut off.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; {REMEDY}")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); is it cut off? Fetch it again") from None


def read_list(path: Path) -> list[Any]:
    """Read a JSON list, or the values of a mapping by number, in its order."""
    values = read_json(path)
    if not isinstance(values, list | dict):
        raise UserError(f"{path}: expected a list, or a mapping by number; fetch it again")
    return list(values.values()) if isinstance(values, dict) else values


def read_meta(folder: Path) -> list[Garment]:
    """Read the garments of meta_all_129927.json."""
    path = folder / META
    garments = read_json(path)
    if not isinstance(garments, list) or not garments:
        raise UserError(f"{path}: expected a list of garments; fetch it again")
    for number, garment in enumerate(garments):
        missing = [key for key in META_KEYS if not isinstance(garment, dict) or key not in garment]
        if missing:
            raise UserError(f"{path}: garment {number} has no {', '.join(missing)}; fetch it again")
    return garments


def map_categories(folder: Path, garments: Sequence[Garment]) -> dict[int, str]:
    """Map the number of each category to its name.

    Raises:
        UserError: no garment has a number.
    """
    names = {int(garment["categoryid"]): str(garment["category"]) for garment in garments if "categoryid" in garment}
    if not names:
        raise UserError(
            f"{folder / META}: no garment has a categoryid, so the numbers of …_CATES_FLAT.json mean nothing; "
            "fetch it again"
        )
    return names


def read_words(folder: Path) -> dict[int, str]:
    """Map the id of each word to the word, from WORDMAP*.json; empty where there is no such file."""
    paths = sorted(folder.glob("WORDMAP*.json"))
    return {int(number): word for word, number in read_json(paths[0]).items()} if paths else {}


def decode(path: Path, value: Any, words: dict[int, str]) -> list[str]:
    """Split a text, a list of words, a list of word ids or `{"caption": text}` into words, without padding.

    Raises:
        UserError: it is none of these, or an id has no word.
    """
    if isinstance(value, dict):
        value = value.get("caption", "")
    tokens = value.split() if isinstance(value, str) else value
    if not isinstance(tokens, list):
        raise UserError(f"{path}: {value!r} is neither a text nor a list of words or word ids; fetch it again")
    decoded = [token if isinstance(token, str) else words.get(token) for token in tokens if token not in PADDING_IDS]
    if None in decoded:
        raise UserError(
            f"{path}: word ids that WORDMAP*.json does not have, or there is no WORDMAP*.json in {path.parent}; "
            "fetch the two files together"
        )
    return [word for word in decoded if word and word != PADDING_WORD]
