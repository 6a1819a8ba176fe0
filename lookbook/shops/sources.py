"""Where a shop's files lie: a folder with its exports and pictures, or a path for each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from catalogue.readers import shop
from catalogue.readers.files import Zip
from lookbook.shops.columns import ORDER_COLUMNS, choose_columns, simplify
from lookbook.shops.items import choose_item_columns
from lookbook.shops.layouts import ORDERS, PLAIN, find_layout
from lookbook.shops.tables import SUFFIXES, Table, read_table
from pipeline.core.errors import UserError

SAMPLE_ROWS = 100_000  # of a table of orders, by which its columns are chosen
ORDER_WORDS = ("order", "purchase", "transaction", "sale")


@dataclass(frozen=True)
class Sources:
    """A shop's files; None where there is none.

    Attributes:
        items: Table of products.
        purchases: Table of orders.
        images: Folder or zip of pictures.
        unread: Tables of the folder that are neither.
    """

    items: Path | None = None
    purchases: Path | None = None
    images: Path | None = None
    unread: tuple[Path, ...] = ()


def find_sources(folder: Path, given: Sources) -> Sources:
    """Find in a folder what is not given: by the headers of its tables, and by its pictures.

    Raises:
        UserError: there is no such folder, or several tables look like products, or several like orders.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    tables = {path: read_table(path, SAMPLE_ROWS) for path in paths if path not in (given.items, given.purchases)}
    orders = [path for path, table in tables.items() if looks_like_orders(table)]
    items = [path for path, table in tables.items() if path not in orders and looks_like_items(table)]
    rest = [path for path in tables if path not in orders and path not in items]
    if not orders:
        orders = [path for path in rest if any(word in simplify(path.stem) for word in ORDER_WORDS)]
    if not items:
        items = [path for path in rest if path not in orders]
    chosen = {
        "items": given.items or _take_only(folder, items, "items", "products"),
        "purchases": given.purchases or _take_only(folder, orders, "purchases", "orders"),
        "images": given.images or _find_images(folder),
    }
    unread = tuple(path for path in tables if path not in chosen.values())
    return replace(given, **chosen, unread=unread)


def looks_like_orders(table: Table) -> bool:
    """Whether a table has a customer, an item and a day, or is a known program's export of orders."""
    layout = find_layout(table, ORDERS)
    return bool(layout.needs) or not choose_columns(table, ORDER_COLUMNS, {}).missing


def looks_like_items(table: Table) -> bool:
    """Whether a table has an id and a description, or is a known program's export of products."""
    layout, choice = choose_item_columns(table, {})
    return layout is not PLAIN or not choice.missing


def _take_only(folder: Path, paths: list[Path], option: str, content: str) -> Path | None:
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise UserError(
            f"{folder}: {len(paths)} tables look like {content} ({names}); name one with --{option} {paths[0]}"
        )
    return paths[0] if paths else None


def _find_images(folder: Path) -> Path | None:
    if any(path.suffix.lower() in shop.PICTURES for path in folder.rglob("*")):
        return folder
    zips = [path for path in sorted(folder.glob("*.zip")) if _holds_pictures(path)]
    if len(zips) > 1:
        raise UserError(f"{folder}: {len(zips)} zips hold pictures; unpack them, or name one with --images {zips[0]}")
    return zips[0] if zips else None


def _holds_pictures(path: Path) -> bool:
    return any(name.lower().endswith(shop.PICTURES) for name in Zip(path).stamps)


def refuse_absent(sources: Sources, named: Mapping[str, Path | None]) -> None:
    """Refuse a path that does not exist, and a shop without products or pictures.

    Raises:
        UserError: all of these at once.
    """
    problems = [
        f"--{option} {path}: no such {'folder or zip' if option == 'images' else 'file'}"
        for option, path in named.items()
        if path and not path.exists()
    ]
    if not sources.items:
        problems.append(f"no table of products ({', '.join(SUFFIXES)}): name it with --items FILE")
    if not sources.images:
        problems.append("no pictures: name their folder or zip with --images PATH")
    if problems:
        raise UserError("; ".join(problems))
