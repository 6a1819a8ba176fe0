"""Any shop: items.csv, images.zip (or images/) and, if there is one, purchases.csv.

`catalogue_prepare.columns` says which column is what.

Ids are kept as they are written. A product groups what shares a description (colour variants): its items never stand on
both sides of the split. Without purchases.csv the study is about captions alone.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow as pa

from catalogue.readers import READERS, Raw
from catalogue.readers.files import Files, Folder, Zip, images_in
from catalogue.readers.settings import Columns, ReaderSettings
from catalogue.readers.tables import one_line, read_table, stream
from catalogue.readers.validation import require_folder, require_unique, require_values
from pipeline.core.errors import UserError
from pipeline.core.params import suggest

ITEMS, PURCHASES, IMAGES, IMAGES_ZIP = "items.csv", "purchases.csv", "images/", "images.zip"
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
NO_CATEGORY, NO_COLOUR = "item", "other"
REMEDY = (
    "`lookbook init --items items.csv --images DIR [--purchases purchases.csv] --name NAME` puts everything in place"
)


def open_raw(folder: Path, settings: ReaderSettings) -> Raw:
    """The catalogue in `folder`; reads the items now, images and purchases when asked.

    Raises:
        UserError: a folder, file or column is missing, or an id comes twice.
    """
    require_folder(folder, REMEDY + suggest(folder.name, list(READERS)))
    files = Folder(folder)
    if ITEMS not in files:
        raise UserError(f"{folder / ITEMS}: no such file; {REMEDY}")
    columns = settings.columns
    table = read_table(files, ITEMS, columns.of_items())
    articles = read_items(files.where(ITEMS), table, columns)
    pictures: Files = Zip(folder / IMAGES_ZIP) if IMAGES_ZIP in files else files
    names = image_names(pictures, files.where(ITEMS), table, articles["item_id"], columns)
    return Raw(
        folder=folder,
        articles=articles,
        image_names={item: pictures.where(name) for item, name in names.items()},
        image=lambda item: pictures.read(names[item]),
        purchases=lambda: read_purchases(files, columns) if PURCHASES in files else iter(()),
        is_fashion=lambda category: True,
        truth=pd.DataFrame({"item_id": pd.Series([], dtype=str)}),
        full_counts={},
        stamps={item: pictures.stamps[name] for item, name in names.items()},
    )


def read_items(where: str, table: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """item_id, product_code, description, category, colour of every item, in file order."""
    require_values(Path(where), table, [columns.item])
    require_unique(Path(where), columns.item, table[columns.item])
    given = {"category": (columns.category, NO_CATEGORY), "colour": (columns.colour, NO_COLOUR)}
    return pd.DataFrame(
        {
            "item_id": table[columns.item],
            "product_code": table[columns.product].fillna(table[columns.item])
            if columns.product
            else table[columns.item],
            "description": one_line(table[columns.description]),
        }
        | {name: table[column].fillna(default) if column else default for name, (column, default) in given.items()}
    )


def image_names(pictures: Files, items: str, table: pd.DataFrame, ids: pd.Series, columns: Columns) -> dict[str, str]:
    """item_id -> its picture below images/: the file that the image column names, else one named after the item.

    Args:
        items: where the table was read, for messages.

    Raises:
        UserError: there are no pictures, or one that the table names is not there.
    """
    found = list(images_in(pictures, IMAGES, PICTURES))
    if not found:
        raise UserError(f"{pictures.where(IMAGES)}: no pictures ({', '.join(PICTURES)}); {REMEDY}")
    if not columns.image:
        by_stem = {PurePosixPath(name).stem: name for name in reversed(found)}
        return {item: by_stem[item] for item in ids if item in by_stem}
    named = table[columns.image].dropna()
    paths = IMAGES + named.str.removeprefix(IMAGES)
    wanted = dict(zip(ids[named.index], paths, strict=True))
    missing = [name for name in wanted.values() if name not in pictures]
    if missing:
        raise UserError(
            f"{items}: {len(missing)} picture(s) of column {columns.image} are not there, first "
            f"{pictures.where(missing[0])}; names are relative to images/"
        )
    return wanted


def read_purchases(files: Files, columns: Columns) -> Iterator[pa.RecordBatch]:
    """user_id, item_id, day in batches, in file order."""
    types = {columns.user: pa.string(), columns.purchased: pa.string(), columns.day: pa.date32()}
    for batch in stream(files, PURCHASES, types):
        yield pa.record_batch(
            {
                "user_id": batch[columns.user],
                "item_id": batch[columns.purchased],
                "day": batch[columns.day].cast(pa.int32()),
            }
        )
