"""FACAD's JSON files: the garments, the names of categories, and words written as word ids."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from catalogue.readers import NO_CATEGORY
from catalogue.readers.tables import clean_texts
from pipeline.cells.missing import is_missing
from pipeline.core.errors import UserError

META = "meta_all_129927.json"
META_KEYS = ("id", "description", "category", "attr", "images")
ALLOWED = {
    "id": "a number or a text",
    "description": "a text or null",
    "category": "a text or null",
    "categoryid": "a whole number or null",
    "attr": "a list of texts or null",
}
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
    """Read a JSON list, or the values of a mapping by number, in the order of the numbers.

    Raises:
        UserError: it is neither, or its keys are not the numbers from 0 on.
    """
    values = read_json(path)
    if not isinstance(values, list | dict):
        raise UserError(f"{path}: expected a list, or a mapping by number; fetch it again")
    if isinstance(values, list):
        return values
    keys = [str(number) for number in range(len(values))]
    missing = [key for key in keys if key not in values]
    if missing:
        raise UserError(
            f"{path}: the keys of its {len(keys):,} entries are not the numbers from 0 to {keys[-1]}: {missing[0]} is "
            "missing; fetch it again"
        )
    return [values[key] for key in keys]


def read_meta(folder: Path) -> list[Garment]:
    """Read the garments of meta_all_129927.json, with plain descriptions, empty where there is none.

    Raises:
        UserError: the file is no list of garments, or a garment lacks a key or has a value of another type.
    """
    path = folder / META
    garments = read_json(path)
    if not isinstance(garments, list) or not garments:
        raise UserError(f"{path}: expected a list of garments; fetch it again")
    for number, garment in enumerate(garments):
        missing = [key for key in META_KEYS if not isinstance(garment, dict) or key not in garment]
        if missing:
            raise UserError(f"{path}: garment {number} has no {', '.join(missing)}; fetch it again")
    for number, garment in enumerate(garments):
        _check_types(path, number, garment)
    texts = clean_texts(pd.Series([garment["description"] for garment in garments], dtype=object)).fillna("")
    return [_fill(garment, text) for garment, text in zip(garments, texts, strict=True)]


def _check_types(path: Path, number: int, garment: Garment) -> None:
    words = garment["attr"]
    is_right = {
        "id": isinstance(garment["id"], int | str),
        "description": isinstance(garment["description"], str | None),
        "category": isinstance(garment["category"], str | None),
        "categoryid": _is_whole_number(garment.get("categoryid")),
        "attr": words is None or (isinstance(words, list) and all(isinstance(word, str) for word in words)),
    }
    for key, right in is_right.items():
        if not right:
            raise UserError(
                f"{path}: garment {number}: {key} is {garment[key]!r:.60}, expected {ALLOWED[key]}; correct it, or "
                "fetch the file again"
            )


def _is_whole_number(value: Any) -> bool:
    """Tell whether a value is a whole number, also one written as a text, or None."""
    try:
        return value is None or int(value) == float(value)
    except (TypeError, ValueError, OverflowError):
        return False


def _fill(garment: Garment, description: str) -> Garment:
    """Return a garment with this description, and with a category and a list of attributes where the file has null."""
    category = garment["category"] or ""
    filled = {"category": NO_CATEGORY if is_missing(category) else category, "attr": garment["attr"] or []}
    return garment | filled | {"description": description}


def map_categories(folder: Path, garments: Sequence[Garment]) -> dict[int, str]:
    """Map the number of each category to its name.

    Raises:
        UserError: no garment has a number.
    """
    numbered = [garment for garment in garments if garment.get("categoryid") is not None]
    names = {int(garment["categoryid"]): garment["category"] for garment in numbered}
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
