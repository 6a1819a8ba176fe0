"""Any shop: items.csv, images.zip (or images/) and, if there is such a file, purchases.csv.

`catalogue_prepare.columns` names their columns. Ids are kept as they are written. A product groups items that share a
description (colour variants), so that none of them is in train and another in test. Without purchases.csv the study is
about captions alone.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from catalogue.readers import NO_CATEGORY, NO_COLOUR, READERS, Raw
from catalogue.readers.files import Files, Folder, Zip
from catalogue.readers.pictures import IMAGES, PICTURES, list_pictures, match_cells, match_ids
from catalogue.readers.settings import Columns, ReaderSettings
from catalogue.readers.tables import clean_texts, convert_days, read_table, stream, trim_ids
from catalogue.readers.validation import require_folder, require_unique, require_values
from pipeline.cells.missing import drop_missing
from pipeline.core.errors import UserError
from pipeline.core.params import suggest

ITEMS = "items.csv"
PURCHASES = "purchases.csv"
IMAGES_ZIP = "images.zip"
REMEDY = "`lookbook init --items items.csv --images DIR [--purchases purchases.csv] --name NAME` puts all files there"


def open_raw(folder: Path, settings: ReaderSettings) -> Raw:
    """Read the items of `folder`; images and purchases are read when they are needed.

    Raises:
        UserError: a folder, file or column is missing, or an id occurs twice.
    """
    require_folder(folder, REMEDY + suggest(folder.name, list(READERS)))
    files = Folder(folder)
    if ITEMS not in files:
        raise UserError(f"{folder / ITEMS}: no such file; {REMEDY}")
    columns = settings.columns
    table = read_table(files, ITEMS, columns.list_item_columns())
    articles = read_items(files.locate(ITEMS), table, columns)
    pictures: Files = Zip(folder / IMAGES_ZIP) if IMAGES_ZIP in files else files
    names = list_pictures(pictures)
    images = find_images(pictures, names, table, columns, settings.images == "all")
    return Raw(
        folder=folder,
        articles=articles,
        image_names={item: pictures.locate(name) for item, name in images.items()},
        read_image=lambda item: pictures.read(images[item]),
        read_purchases=lambda: read_purchases(files, columns) if PURCHASES in files else iter(()),
        is_fashion=lambda category: True,
        truth=pd.DataFrame({"item_id": pd.Series([], dtype=str)}),
        full_counts={},
        stamps={item: pictures.stamps[name] for item, name in images.items()},
        unmatched=[pictures.locate(name) for name in sorted(set(names) - set(images.values()))],
    )


def read_items(path: str, table: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Select item_id, product_code, description, category and colour of every item, in file order.

    Raises:
        UserError: an id is missing or occurs twice.
    """
    ids = table[columns.item]
    require_values(Path(path), table, [columns.item])
    require_unique(Path(path), columns.item, ids)
    optional = {
        "category": _fill(table, columns.category, NO_CATEGORY),
        "colour": _fill(table, columns.colour, NO_COLOUR),
    }
    product = _fill(table, columns.product, ids)
    return pd.DataFrame(
        {"item_id": ids, "product_code": product, "description": clean_texts(table[columns.description])} | optional
    )


def _fill(table: pd.DataFrame, column: str, default: str | pd.Series) -> pd.Series | str:
    """Read a column that may be missing, with a default where it is, or where a cell has a word for a missing value."""
    return drop_missing(table[column]).fillna(default) if column else default


def find_images(
    pictures: Files, names: Sequence[str], table: pd.DataFrame, columns: Columns, further: bool
) -> dict[str, str]:
    """Map each item_id to its picture: the file that the image column names, else a file named after the item.

    Args:
        pictures: The folder or zip that holds images/.
        names: The pictures in it.
        table: The cells of items.csv.
        columns: The names of the table's columns.
        further: Maps all pictures of an item, by `name_view`, and not the first alone.

    Raises:
        UserError: there are no pictures, the table names a picture that does not exist, or an item has several.
    """
    if not names:
        raise UserError(f"{pictures.locate(IMAGES)}: no pictures ({', '.join(PICTURES)}); {REMEDY}")
    if not columns.image:
        return match_ids(pictures, names, table[columns.item], further)
    cells = drop_missing(table[columns.image]).dropna()
    by_item = dict(zip(table[columns.item][cells.index], cells, strict=True))
    return match_cells(pictures, names, by_item, columns.image, further)


def read_purchases(files: Files, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Yield user_id, item_id and day in batches, in file order.

    Raises:
        UserError: a column is missing, or a day is not a date.
    """
    path, types = files.locate(PURCHASES), dict.fromkeys((columns.user, columns.purchased, columns.day), pa.string())
    for batch in stream(files, PURCHASES, types):
        yield pa.record_batch(
            {
                "user_id": trim_ids(path, columns.user, batch[columns.user]),
                "item_id": trim_ids(path, columns.purchased, batch[columns.purchased]),
                "day": convert_days(path, columns.day, batch[columns.day]),
            }
        )
