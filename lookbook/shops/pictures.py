"""A shop's pictures: which one shows an item, and one zip of all of them."""

import re
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

import pandas as pd

from catalogue.readers import shop
from catalogue.readers.files import Files, Folder, Zip, list_images
from lookbook.shops.items import Items
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file
from pipeline.core.progress import track

ADDRESS = re.compile(r"https?://", re.IGNORECASE)
SAFE_NAME = re.compile(r"[\w.-]+")
HIDDEN = ("__MACOSX/", "._", ".")  # what archives of macOS hold beside each file, and hidden files
VIEW = re.compile(r"(?P<id>.+)[-_ .](?P<number>\d{1,3})")  # the name of one of several pictures of an item
FIRST = 5
ADDRESS_SIGNS = "%:/?#[]@!$&'()*+,;=~"  # that stay as they are in an address


class Pictures:
    """The pictures of a folder or a zip, by their path in it."""

    def __init__(self, path: Path) -> None:
        """List the pictures below `path`.

        Raises:
            UserError: there is no such folder or zip, or no picture in it.
        """
        if not path.exists():
            raise UserError(f"--images {path}: no such folder or zip")
        self.path = path
        self.files: Files = Folder(path) if path.is_dir() else Zip(path)
        self.names = [name for name in list_images(self.files, "", shop.PICTURES) if not _is_hidden(name)]
        if not self.names:
            raise UserError(f"--images {path}: no pictures in it ({', '.join(shop.PICTURES)})")

    def pack(self, target: Path) -> None:
        """Write every picture to a zip, unchanged; equal pictures give equal bytes."""
        with new_file(target) as partial, zipfile.ZipFile(partial, "w") as archive:
            for name in track(self.names, "packing pictures", len(self.names)):
                archive.writestr(zipfile.ZipInfo(shop.IMAGES + name), self.files.read(name))


def _is_hidden(name: str) -> bool:
    return name.startswith(HIDDEN[0]) or any(part.startswith(HIDDEN[1:]) for part in PurePosixPath(name).parts)


def split_cell(cell: str) -> list[str]:
    """Split a cell that names several pictures.

    >>> split_cell("a.jpg, b.jpg"), split_cell("red, long.jpg")
    (['a.jpg', 'b.jpg'], ['red, long.jpg'])
    """
    for separator in (r"\|", r";", r",\s*"):
        parts = [part.strip() for part in re.split(separator, cell) if part.strip()]
        if len(parts) > 1 and all(ADDRESS.match(part) or _suffix(part) in shop.PICTURES for part in parts):
            return parts
    return [cell.strip()]


def _suffix(name: str) -> str:
    return PurePosixPath(urlsplit(name).path if ADDRESS.match(name) else name).suffix.lower()


def last_part(name: str) -> str:
    """Return the last part of a path or of an address, without what follows a question mark.

    >>> last_part("https://shop.example/files/red%20dress.jpg?v=17"), last_part("/m/b/mb01.jpg")
    ('red dress.jpg', 'mb01.jpg')
    """
    return PurePosixPath(unquote(urlsplit(name).path) if ADDRESS.match(name) else name).name


def find_pictures(items: Items, pictures: Pictures) -> tuple[pd.Series, list[str]]:
    """Find the picture of each item: the one that its row names, else the one named after one of its ids.

    Returns:
        The name of each item's picture among `pictures`, None where there is none; and what the user should know.

    Raises:
        UserError: the rows name pictures by addresses or paths, and none of them is there.
    """
    named = items.frame["image"].map(lambda cell: split_cell(cell) if cell else [])
    first = named.str[0]
    by_id = _find_by_id(items, pictures)
    by_name = first.map(_match_names(list(first.dropna().unique()), pictures))
    if by_name.notna().sum() >= by_id.notna().sum():  # not both: 15.jpg may be of product 15 or of another
        spare = first.isna() & ~by_id.isin(by_name.dropna())
        found = by_name.where(by_name.notna(), by_id.where(spare))
    else:
        found = by_id
    found = found.astype(object).where(found.notna(), None)
    if first.notna().any() and found.isna().all():
        _refuse_all(items, pictures, str(first.dropna().iloc[0]))
    notes = []
    if (named.str.len() > 1).any():
        notes.append(f"{(named.str.len() > 1).sum():,} item(s) have several pictures: the first is taken")
    lost = items.frame["item_id"][found.isna()].tolist()
    if lost:
        notes.append(f"{len(lost):,} of {len(found):,} items have no picture: {', '.join(lost[:FIRST])}{_more(lost)}")
    unused = sorted(set(pictures.names) - set(found.dropna()))
    if unused:
        notes.append(
            f"{len(unused):,} picture(s) are of no item, or further ones: {', '.join(unused[:FIRST])}{_more(unused)}"
        )
    return found, notes


def _more(names: list[str]) -> str:
    return " …" if len(names) > FIRST else ""


def _find_by_id(items: Items, pictures: Pictures) -> pd.Series:
    """Find for each item the first picture named after one of its ids, in whatever case: `A7.jpg`, else `A7-1.jpg`."""
    by_stem: dict[str, str] = {}
    by_view: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in reversed(pictures.names):
        stem = fold(PurePosixPath(name).stem)
        by_stem[stem] = name
        view = VIEW.fullmatch(stem)
        if view:
            by_view[view["id"]].append((int(view["number"]), name))
    ids = {(fold(value), item) for values in items.ids.values() for value, item in values.items()}
    exact = {item: by_stem[value] for value, item in sorted(ids) if value in by_stem}
    taken = set(exact.values())
    found: dict[str, str] = {}
    for value, item in sorted(ids):
        views = [name for _, name in sorted(by_view[value]) if name not in taken]
        if views:
            found.setdefault(item, views[0])
    return items.frame["item_id"].map(found | exact)


def fold(text: str) -> str:
    """Fold the name of a file or an id, so that case, spaces around it and the form of accents make no difference."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def _match_names(wanted: list[str], pictures: Pictures) -> dict[str, str | None]:
    """Match each name that a table gives with a picture: its whole path, else its last part if that is unambiguous."""
    by_path = {name.casefold(): name for name in pictures.names}
    by_last = defaultdict(list)
    for name in pictures.names:
        by_last[PurePosixPath(name).name.casefold()].append(name)
    same_last = defaultdict(set)
    for name in wanted:
        same_last[last_part(name).casefold()].add(name)
    matches: dict[str, str | None] = {}
    for name in wanted:
        last = last_part(name).casefold()
        whole = by_path.get(name.strip("/").casefold())
        alone = len(by_last[last]) == 1 and len(same_last[last]) == 1
        matches[name] = whole or (by_last[last][0] if alone else None)
    return matches


def _refuse_all(items: Items, pictures: Pictures, example: str) -> None:
    column = items.choice.columns["image"]
    if ADDRESS.match(example):
        raise UserError(
            f"{items.table.path}: column {column} holds addresses ({example}), and {pictures.path} has none of these "
            "pictures; fetch them first: add --list-urls > pictures.curl to this command, then curl -K pictures.curl"
        )
    raise UserError(
        f"{items.table.path}: none of the pictures of column {column} is in {pictures.path}, first {example}; there is "
        f"{pictures.names[0]}; name another column with --column image=NAME, or --column image= for files named by id"
    )


def list_downloads(items: Items, folder: Path) -> Iterator[str]:
    """Yield the lines of a curl configuration that fetches each item's first picture into a file named after the item.

    Raises:
        UserError: no column holds addresses, or an id cannot name a file.
    """
    named = items.frame[["item_id", "image"]].dropna().itertuples(index=False)
    rows = [(item, split_cell(cell)[0]) for item, cell in named if ADDRESS.match(cell)]
    if not rows:
        raise UserError(f"{items.table.path}: no column holds addresses of pictures")
    unsafe = next((item for item, _ in rows if not SAFE_NAME.fullmatch(item)), None)
    if unsafe:
        raise UserError(
            f"{items.table.path}: id {unsafe!r} cannot be a file's name; choose another with --column item=NAME"
        )
    yield "create-dirs\nfail"
    for item, address in rows:
        suffix = _suffix(address) if _suffix(address) in shop.PICTURES else ".jpg"
        yield f'url = "{_quote(quote(address, safe=ADDRESS_SIGNS))}"'
        yield f'output = "{_quote((folder / (item + suffix)).as_posix())}"'


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
