"""Where a shop's files lie: a folder with its exports and pictures, or a path for each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from catalogue.readers import shop
from catalogue.readers.files import Zip
from lookbook.shops.columns import ORDER_COLUMNS, choose_columns, simplify
from lookbook.shops.items import choose_item_columns
from lookbook.shops.layouts import ORDERS, PLAIN, find_layout
from lookbook.shops.orders import NUMBERED
from lookbook.shops.tables import SUFFIXES, Table, read_table
from pipeline.core.errors import UserError

SAMPLE_ROWS = 1000  # of a table, by which it is known what it holds
ORDER_WORDS = (  # in the names of files
    *("order", "purchase", "transaction", "sale"),
    *("bestell", "verkauf", "commande", "vente", "pedido", "ordini"),
)
REVIEW_WORDS = ("rating", "stars", "review", "reviewid", "reviewtext", "score", "comment")  # columns of no order


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
    tables, unreadable = _read_all(path for path in paths if path not in (given.items, given.purchases))
    orders = [path for path, table in tables.items() if looks_like_orders(table)]
    items = [path for path, table in tables.items() if path not in orders and looks_like_items(table)]
    rest = [path for path in tables if path not in orders and path not in items]
    if not orders:
        orders = [path for path in rest if any(word in simplify(path.stem) for word in ORDER_WORDS)]
    if not items:
        items = [path for path in rest if path not in orders]
    if not (items or given.items) and unreadable:
        raise unreadable[min(unreadable, key=lambda path: (path.suffix.lower() == ".txt", path))]
    chosen = {
        "items": given.items or _take_only(folder, items, "items", "products"),
        "purchases": given.purchases or _take_only(folder, orders, "purchases", "orders"),
        "images": given.images or _find_images(folder),
    }
    unread = tuple(sorted(path for path in [*tables, *unreadable] if path not in chosen.values()))
    return replace(given, **chosen, unread=unread)


def _read_all(paths: Iterable[Path]) -> tuple[dict[Path, Table], dict[Path, UserError]]:
    """Read the first rows of each table; a text that is no table is no reason to stop."""
    tables, unreadable = {}, {}
    for path in paths:
        try:
            tables[path] = read_table(path, SAMPLE_ROWS)
        except UserError as error:
            unreadable[path] = error
    return tables, unreadable


def looks_like_orders(table: Table) -> bool:
    """Whether a table has a customer, an item and a day, or is a known program's export of orders; reviews are none.

    A column `id` is no sign of an item: orders have one of their own.
    """
    layout = find_layout(table, ORDERS)
    own = [name for name in ORDER_COLUMNS["purchased"] if name not in NUMBERED]
    missing = choose_columns(table, {**ORDER_COLUMNS, "purchased": own}, {}).missing
    is_review = any(simplify(column) in REVIEW_WORDS for column in table.columns)
    return bool(layout.needs) or not (missing or is_review)


def looks_like_items(table: Table) -> bool:
    """Whether a table has an id and a description, or is a known program's export of products."""
    layout, choice = choose_item_columns(table, {})
    return layout is not PLAIN or not choice.missing


def _take_only(folder: Path, paths: list[Path], option: str, content: str) -> Path | None:
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        joined = "; orders and their rows in two tables must be joined into one first" if content == "orders" else ""
        raise UserError(
            f"{folder}: {len(paths)} tables look like {content} ({names}); name one with --{option} {paths[0]}{joined}"
        )
    return paths[0] if paths else None


def _find_images(folder: Path) -> Path | None:
    pictures = [path for path in folder.rglob("*") if path.suffix.lower() in shop.PICTURES]
    zips = [path for path in sorted(folder.glob("*.zip")) if _holds_pictures(path)]
    if pictures and zips:
        raise UserError(
            f"{folder}: pictures lie in it ({min(pictures).name}) and in {zips[0].name}; name one of them with --images"
        )
    if pictures:
        return folder
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
