"""A shop's pictures: which one shows an item, and one zip of all of them."""

import re
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

import pandas as pd

from catalogue.readers import shop
from catalogue.readers.files import Files, Folder, Zip, list_images
from catalogue.readers.pictures import ADDRESS, VIEW, find_suffix, split_cell
from lookbook.shops.items import Items
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file
from pipeline.core.progress import track

SAFE_NAME = re.compile(r"[\w.-]+")
HIDDEN = ("__MACOSX/", "._", ".")  # what archives of macOS hold beside each file, and hidden files
FIRST = 5
IN_FOLDERS = 0.9  # share of the pictures that lie in a folder named after an item
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


def last_part(name: str) -> str:
    """Return the last part of a path or of an address, without what follows a question mark.

    >>> last_part("https://shop.example/files/red%20dress.jpg?v=17"), last_part("/m/b/mb01.jpg")
    ('red dress.jpg', 'mb01.jpg')
    """
    return PurePosixPath(unquote(urlsplit(name).path) if ADDRESS.match(name) else name).name


def find_pictures(items: Items, pictures: Pictures, further: bool = False) -> tuple[pd.Series, list[str]]:
    """Find the picture of each item: the one that its row names, else the one named after one of its ids.

    Args:
        items: The items.
        pictures: The pictures.
        further: Finds all pictures of an item.

    Returns:
        The name of each item's picture among `pictures`, None where there is none, `first|second|…` where all are
        found; and what the user should know.

    Raises:
        UserError: the rows name pictures by addresses or paths, and none of them is there.
    """
    named = items.frame["image"].map(lambda cell: split_cell(cell) if cell else [])
    first = named.str[0]
    owners = _list_ids(items)
    if _lie_in_folders(owners, pictures):
        views = _list_by_folder(owners, pictures)
        by_id = items.frame["item_id"].map({item: names[0] for item, names in views.items()})
    else:
        views = _list_by_id(owners, pictures)
        by_id = items.frame["item_id"].map(_find_by_id(owners, pictures, views))
    by_name = first.map(_match_names(list(first.dropna().unique()), pictures))
    if by_name.notna().sum() >= by_id.notna().sum():  # not both: 15.jpg may be of product 15 or of another
        spare = first.isna() & ~by_id.isin(by_name.dropna())
        found = by_name.where(by_name.notna(), by_id.where(spare))
    else:
        found = by_id
    found = found.astype(object).where(found.notna(), None)
    if found.isna().all():
        _refuse_all(items, pictures, next(iter(first.dropna()), ""))
    every = _list_all(items, pictures, named, views, found)
    several = ((named.str.len() > 1) | (every.str.len() > 1)).sum()
    notes = []
    if several and further:
        notes.append(f"{several:,} item(s) have several pictures: image features are of all, captions of the first")
        absent = int((named.str.len() - every.str.len())[named.str.len() > 0].clip(lower=0).sum())
        notes += [f"{absent:,} picture(s) that rows name are not there"] if absent else []
    elif several:
        notes.append(f"{several:,} item(s) have several pictures: the first is taken (--views all)")
    lost = items.frame["item_id"][found.isna()].tolist()
    if lost:
        notes.append(f"{len(lost):,} of {len(found):,} items have no picture: {', '.join(lost[:FIRST])}{_more(lost)}")
    unused = sorted(set(pictures.names) - set((every.explode() if further else found).dropna()))
    if unused:
        notes.append(
            f"{len(unused):,} picture(s) are of no item, or further ones: {', '.join(unused[:FIRST])}{_more(unused)}"
        )
    return (every.str.join("|").where(found.notna(), None) if further else found), notes


def _list_all(
    items: Items, pictures: Pictures, named: pd.Series, views: Mapping[str, list[str]], found: pd.Series
) -> pd.Series:
    """List the pictures of each item: the first, then those that its row names too, else those named after it."""
    matches = _match_names(list(named.explode().dropna().unique()), pictures)
    taken = set(found.dropna())
    rows = []
    for item, names, first in zip(items.frame["item_id"], named, found, strict=True):
        own = [matches[name] for name in names]
        others = own if first in own else views.get(item, [])
        rows.append([first, *dict.fromkeys(name for name in others if name and name not in taken)] if first else [])
    return pd.Series(rows, index=found.index, dtype=object)


def _more(names: list[str]) -> str:
    return " …" if len(names) > FIRST else ""


def _list_ids(items: Items) -> dict[str, str]:
    """Map each id, as the name of a file, to its item: an item's own ids come before those that orders may use."""
    owners: dict[str, str] = {}
    for values in items.ids.values():
        for value, item in sorted(values.items()):
            owners.setdefault(fold(value), item)
    return owners


def _find_by_id(owners: Mapping[str, str], pictures: Pictures, views: Mapping[str, list[str]]) -> dict[str, str]:
    """Find for each item the first picture named after one of its ids, in whatever case: `A7.jpg`, else `A7-1.jpg`."""
    by_stem = {fold(PurePosixPath(name).stem): name for name in reversed(pictures.names)}
    exact: dict[str, str] = {}
    for value, item in owners.items():
        if value in by_stem:
            exact.setdefault(item, by_stem[value])
    taken = set(exact.values())
    found: dict[str, str] = {}
    for item, names in views.items():
        free = [name for name in names if name not in taken]
        if free:
            found[item] = free[0]
    return found | exact


def _list_by_id(owners: Mapping[str, str], pictures: Pictures) -> dict[str, list[str]]:
    """List for each item the pictures named after one of its ids and a number, `A7-1.jpg`, in the order of these."""
    by_view: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in reversed(pictures.names):
        view = VIEW.fullmatch(fold(PurePosixPath(name).stem))
        if view:
            by_view[view["id"]].append((int(view["number"]), name))
    views: dict[str, list[str]] = defaultdict(list)
    for value, item in owners.items():
        views[item] += [name for _, name in sorted(by_view.get(value, []))]
    return views


def _lie_in_folders(owners: Mapping[str, str], pictures: Pictures) -> bool:
    """Whether folders are named after items, as in `A7/front.jpg`, whatever the files in them are called."""
    folders = [_name_folder(name) for name in pictures.names]
    return sum(name in owners for name in folders) > IN_FOLDERS * len(folders) and len(set(folders)) > 1


def _list_by_folder(owners: Mapping[str, str], pictures: Pictures) -> dict[str, list[str]]:
    """List for each item the pictures in folders named after its ids, in the order of their names."""
    views: dict[str, list[str]] = defaultdict(list)
    for name in sorted(pictures.names, key=_order_by_number):
        if item := owners.get(_name_folder(name)):
            views[item].append(name)
    return views


def _name_folder(name: str) -> str:
    return fold(PurePosixPath(name).parent.name)


def _order_by_number(name: str) -> list[tuple[int, str]]:
    """Order 2.jpg before 10.jpg."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def fold(text: str) -> str:
    """Fold the name of a file or an id, so that case, spaces around it and the form of accents make no difference."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def _match_names(wanted: list[str], pictures: Pictures) -> dict[str, str | None]:
    """Match each name that a table gives with a picture: its whole path, else its last part if that is unambiguous."""
    by_path = {fold(name): name for name in pictures.names}
    by_last = defaultdict(list)
    for name in pictures.names:
        by_last[fold(PurePosixPath(name).name)].append(name)
    same_last = defaultdict(set)
    for name in wanted:
        same_last[fold(last_part(name))].add(name)
    matches: dict[str, str | None] = {}
    for name in wanted:
        last = fold(last_part(name))
        whole = by_path.get(fold(name.strip("/")))
        alone = len(by_last[last]) == 1 and len(same_last[last]) == 1
        matches[name] = whole or (by_last[last][0] if alone else None)
    return matches


def _refuse_all(items: Items, pictures: Pictures, example: str) -> None:
    column = items.choice.columns["image"]
    if not example:
        ids = ", ".join(f"{name} {next(iter(values), '')}" for name, values in items.ids.items())
        raise UserError(
            f"{pictures.path}: no picture is named after an item: there is {pictures.names[0]}, and {items.table.path} "
            f"has {ids}; name the column that names pictures with --column image=NAME, or the one of their ids with "
            "--column item=NAME"
        )
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
        suffix = find_suffix(address) if find_suffix(address) in shop.PICTURES else ".jpg"
        yield f'url = "{_quote(quote(address, safe=ADDRESS_SIGNS))}"'
        yield f'output = "{_quote((folder / (item + suffix)).as_posix())}"'


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
