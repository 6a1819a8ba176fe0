"""Any shop: items.csv, images.zip (or images/) and, if there is such a file, purchases.csv.

`catalogue_prepare.columns` names their columns. Ids are kept as they are written. A product groups items that share a
description (colour variants), so that none of them is in train and another in test. Without purchases.csv the study is
about captions alone.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow as pa

from catalogue.readers import READERS, Raw
from catalogue.readers.files import Files, Folder, Zip, list_images
from catalogue.readers.settings import Columns, ReaderSettings
from catalogue.readers.tables import join_lines, read_table, stream
from catalogue.readers.validation import require_folder, require_unique, require_values
from pipeline.core.errors import UserError
from pipeline.core.params import suggest

ITEMS = "items.csv"
PURCHASES = "purchases.csv"
IMAGES = "images/"
IMAGES_ZIP = "images.zip"
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
NO_CATEGORY = "item"
NO_COLOUR = "other"
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
    names = find_images(pictures, files.locate(ITEMS), table, articles["item_id"], columns)
    return Raw(
        folder=folder,
        articles=articles,
        image_names={item: pictures.locate(name) for item, name in names.items()},
        read_image=lambda item: pictures.read(names[item]),
        read_purchases=lambda: read_purchases(files, columns) if PURCHASES in files else iter(()),
        is_fashion=lambda category: True,
        truth=pd.DataFrame({"item_id": pd.Series([], dtype=str)}),
        full_counts={},
        stamps={item: pictures.stamps[name] for item, name in names.items()},
    )


def read_items(path: str, table: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Select item_id, product_code, description, category and colour of every item, in file order.

    Raises:
        UserError: an id is missing or occurs twice.
    """
    ids = table[columns.item]
    require_values(Path(path), table, [columns.item])
    require_unique(Path(path), columns.item, ids)
    optional = {"category": (columns.category, NO_CATEGORY), "colour": (columns.colour, NO_COLOUR)}
    return pd.DataFrame(
        {
            "item_id": ids,
            "product_code": table[columns.product].fillna(ids) if columns.product else ids,
            "description": join_lines(table[columns.description]),
        }
        | {name: table[column].fillna(default) if column else default for name, (column, default) in optional.items()}
    )


def find_images(pictures: Files, path: str, table: pd.DataFrame, ids: pd.Series, columns: Columns) -> dict[str, str]:
    """Map each item_id to its picture: the file that the image column names, else a file named after the item.

    Args:
        pictures: The folder or zip that holds images/.
        path: Where the table was read, for messages.
        table: The cells of items.csv.
        ids: The item_id of each row of the table.
        columns: The names of the table's columns.

    Raises:
        UserError: there are no pictures, or the table names a picture that does not exist.
    """
    names = list(list_images(pictures, IMAGES, PICTURES))
    if not names:
        raise UserError(f"{pictures.locate(IMAGES)}: no pictures ({', '.join(PICTURES)}); {REMEDY}")
    if not columns.image:
        by_stem = {PurePosixPath(name).stem: name for name in reversed(names)}
        return {item: by_stem[item] for item in ids if item in by_stem}
    cells = table[columns.image].dropna()
    paths = IMAGES + cells.str.removeprefix(IMAGES)
    by_item = dict(zip(ids[cells.index], paths, strict=True))
    missing = [name for name in by_item.values() if name not in pictures]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} picture(s) of column {columns.image} do not exist, first "
            f"{pictures.locate(missing[0])}; write names relative to images/"
        )
    return by_item


def read_purchases(files: Files, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Yield user_id, item_id and day in batches, in file order.

    Raises:
        UserError: a column is missing, or a day is not a date.
    """
    types = {columns.user: pa.string(), columns.purchased: pa.string(), columns.day: pa.date32()}
    for batch in stream(files, PURCHASES, types):
        yield pa.record_batch(
            {
                "user_id": batch[columns.user],
                "item_id": batch[columns.purchased],
                "day": batch[columns.day].cast(pa.int32()),
            }
        )
