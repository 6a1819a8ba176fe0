"""Finds the picture of each item by the name of its file, and counts what has no counterpart.

A name fits if it is the item's id, also in another Unicode form (NFC, NFD), another case or with spaces around it, as
long as no other item's name is the same then. Which of two different pictures shows an item is not known, so they are
refused.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from catalogue.readers.files import Files, list_images
from pipeline.core.errors import UserError, first_five

PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".jp2",
)  # fmt: skip
IMAGES = "images/"
WHICH = "remove all but one of each, or name one in a column (catalogue_prepare.columns.image)"


def list_pictures(files: Files) -> list[str]:
    """List the pictures below images/; of a zip that has none there, all its pictures."""
    return list(list_images(files, IMAGES, PICTURES)) or (
        list(list_images(files, "", PICTURES)) if files.is_archive else []
    )


def match_ids(files: Files, names: Sequence[str], ids: Iterable[str]) -> dict[str, str]:
    """Map each item to the picture that is named after it, where there is one.

    Raises:
        UserError: an item has two different pictures.
    """
    ids = list(ids)
    found = _match({name: PurePosixPath(name).stem for name in names}, ids)
    if names and ids and not found:
        raise UserError(
            f"{files.path}: none of the {len(names)} pictures is named after an item: pictures such as "
            f"{files.locate(names[0])}, items such as {first_five(ids)}; rename them, or name them in a column "
            "(catalogue_prepare.columns.image)"
        )
    several = {item: pictures for item, pictures in found.items() if len(pictures) > 1 and _differ(files, pictures)}
    if several:
        shown = first_five([f"{item}: {' and '.join(map(files.locate, several[item]))}" for item in several])
        raise UserError(f"{files.path}: {len(several)} item(s) have several pictures, first {shown}; {WHICH}")
    return {item: pictures[0] for item, pictures in found.items()}


def match_cells(files: Files, names: Sequence[str], cells: Mapping[str, str], column: str) -> dict[str, str]:
    """Map each item to the picture that a cell of the table names, with or without images/ before it.

    Args:
        files: The folder or zip that holds the pictures.
        names: The pictures.
        cells: item_id -> the name of its picture.
        column: The column of the cells, for messages.

    Raises:
        UserError: a cell names a picture that does not exist.
    """
    short = {cell.replace("\\", "/").removeprefix("./").removeprefix(IMAGES) for cell in cells.values()}
    found = _match({name: name.removeprefix(IMAGES) for name in names}, list(short))
    by_item = {
        item: found.get(cell.replace("\\", "/").removeprefix("./").removeprefix(IMAGES)) for item, cell in cells.items()
    }
    missing = [cells[item] for item, pictures in by_item.items() if pictures is None]
    if missing:
        raise UserError(
            f"{files.locate(IMAGES)}: {len(missing)} picture(s) of column {column} do not exist, first "
            f"{first_five(missing)}; write names relative to images/; there are {first_five(names)}"
        )
    return {item: pictures[0] for item, pictures in by_item.items() if pictures}


def _match(words: Mapping[str, str], wanted: Sequence[str]) -> dict[str, list[str]]:
    """Map each wanted word to the names whose word it is: exactly, else by `_fold`, where that is unambiguous.

    Args:
        words: name -> its word.
        wanted: Words.
    """
    exact, folded, same = defaultdict(list), defaultdict(list), defaultdict(set)
    for name, word in words.items():
        exact[word].append(name)
        folded[_fold(word)].append(name)
    for word in wanted:
        same[_fold(word)].add(word)
    taken = {name for word in wanted for name in exact.get(word, ())}
    found = {}
    for word in wanted:
        loose = [name for name in folded.get(_fold(word), ()) if name not in taken]
        names = exact.get(word) or (loose if len(same[_fold(word)]) == 1 else [])
        if names:
            found[word] = names
    return found


def _fold(word: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).strip().casefold())


def _differ(files: Files, names: Sequence[str]) -> bool:
    return len({files.read(name) for name in names}) > 1
