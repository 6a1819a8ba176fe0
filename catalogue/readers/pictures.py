"""Finds the picture of each item by the name of its file, and counts what has no counterpart.

A name fits if it is the item's id, also in another Unicode form (NFC, NFD), another case or with spaces around it, as
long as no other item's name is the same then. Which of two different pictures shows an item is not known, so they are
refused.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from catalogue.prepared.views import name_view
from catalogue.readers.files import Files, list_images
from pipeline.core.errors import UserError, first_five

PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".jp2",
)  # fmt: skip
IMAGES = "images/"
ADDRESS = re.compile(r"https?://", re.IGNORECASE)
VIEW = re.compile(r"(?P<id>.+)[-_ .](?P<number>\d{1,3})")  # the name of one of several pictures of an item
WHICH = "remove all but one of each, or name one in a column (catalogue_prepare.columns.image)"


def list_pictures(files: Files) -> list[str]:
    """List the pictures below images/; of a zip that has none there, all its pictures."""
    return list(list_images(files, IMAGES, PICTURES)) or (
        list(list_images(files, "", PICTURES)) if files.is_archive else []
    )


def split_cell(cell: str) -> list[str]:
    """Split a cell that names several pictures.

    >>> split_cell("a.jpg, b.jpg"), split_cell("red, long.jpg")
    (['a.jpg', 'b.jpg'], ['red, long.jpg'])
    """
    for separator in (r"\|", r";", r",\s*"):
        parts = [part.strip() for part in re.split(separator, cell) if part.strip()]
        if len(parts) > 1 and all(ADDRESS.match(part) or find_suffix(part) in PICTURES for part in parts):
            return parts
    return [cell.strip()]


def find_suffix(name: str) -> str:
    """Return the ending of a path or of an address, in lower case."""
    return PurePosixPath(urlsplit(name).path if ADDRESS.match(name) else name).suffix.lower()


def match_ids(files: Files, names: Sequence[str], ids: Iterable[str], further: bool = False) -> dict[str, str]:
    """Map each item to the picture that is named after it, where there is one.

    Args:
        files: The folder or zip that holds the pictures.
        names: The pictures.
        ids: Of the items.
        further: Maps the further pictures of an item, too (`7-2.jpg`, or another `7.png`), by `name_view`.

    Raises:
        UserError: an item has two different pictures, and further ones are not wanted.
    """
    ids = list(ids)
    stems = {name: PurePosixPath(name).stem for name in names}
    found = _match(stems, ids)
    if further:
        found = _add_numbered(found, stems, ids)
    if names and ids and not found:
        raise UserError(
            f"{files.path}: none of the {len(names)} pictures is named after an item: pictures such as "
            f"{files.locate(names[0])}, items such as {first_five(ids)}; rename them, or name them in a column "
            "(catalogue_prepare.columns.image)"
        )
    if not further:
        _refuse_several(files, found)
    return _name_all(found, further)


def _refuse_several(files: Files, found: Mapping[str, Sequence[str]]) -> None:
    several = {item: pictures for item, pictures in found.items() if len(pictures) > 1 and _differ(files, pictures)}
    if several:
        shown = first_five([f"{item}: {' and '.join(map(files.locate, several[item]))}" for item in several])
        raise UserError(f"{files.path}: {len(several)} item(s) have several pictures, first {shown}; {WHICH}")


def _add_numbered(found: dict[str, list[str]], stems: Mapping[str, str], ids: Sequence[str]) -> dict[str, list[str]]:
    """Add to the pictures of each item those named after it with a number, in the order of their numbers."""
    taken = {name for pictures in found.values() for name in pictures}
    numbered = {name: view for name, stem in stems.items() if name not in taken and (view := VIEW.fullmatch(stem))}
    views = _match({name: view["id"] for name, view in numbered.items()}, ids)
    for own in views.values():
        own.sort(key=lambda name: (int(numbered[name]["number"]), name))
    return {item: found.get(item, []) + views.get(item, []) for item in ids if item in found or item in views}


def _name_all(found: Mapping[str, Sequence[str]], further: bool) -> dict[str, str]:
    """Map the first picture of each item, or all of them by `name_view`."""
    return {
        name_view(item, number): picture
        for item, pictures in found.items()
        for number, picture in enumerate(pictures if further else pictures[:1], 1)
    }


def match_cells(
    files: Files, names: Sequence[str], cells: Mapping[str, str], column: str, further: bool = False
) -> dict[str, str]:
    """Map each item to the picture that a cell of the table names, with or without images/ before it.

    Args:
        files: The folder or zip that holds the pictures.
        names: The pictures.
        cells: item_id -> the name of its picture, or of several (`a.jpg|b.jpg`).
        column: The column of the cells, for messages.
        further: Maps all pictures that a cell names, by `name_view`, and not the first alone.

    Raises:
        UserError: a cell names a picture that does not exist.
    """
    exact = {name.removeprefix(IMAGES) for name in names}
    parts_of = {item: [cell] if _shorten(cell) in exact else split_cell(cell) for item, cell in cells.items()}
    wanted = {item: parts if further else parts[:1] for item, parts in parts_of.items()}
    short = {_shorten(part) for parts in wanted.values() for part in parts}
    found = _match({name: name.removeprefix(IMAGES) for name in names}, list(short))
    missing = [part for parts in wanted.values() for part in parts if _shorten(part) not in found]
    if missing:
        raise UserError(
            f"{files.locate(IMAGES)}: {len(missing)} picture(s) of column {column} do not exist, first "
            f"{first_five(missing)}; write names relative to images/; there are {first_five(names)}"
        )
    return _name_all({item: [found[_shorten(part)][0] for part in parts] for item, parts in wanted.items()}, further)


def _shorten(name: str) -> str:
    """Return the name of a picture relative to images/."""
    return name.replace("\\", "/").removeprefix("./").removeprefix(IMAGES)


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
