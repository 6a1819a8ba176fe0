"""Create a study about a shop of your own: link its files and write a parameter file that names their columns."""

import os
import re
import zipfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from catalogue.readers import READERS, shop
from catalogue.readers.files import Folder, list_images
from catalogue.readers.settings import DATASET_NAME, Columns
from pipeline.cells.rows import read_names
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file, new_folder
from pipeline.core.params import REFERENCE
from pipeline.core.progress import track

RAW = Path("data/raw")
STUDIES = Path("studies")
GUESSES = {  # column -> usual names; the first that a table has is taken
    "item": ("item_id", "article_id", "product_id", "item", "sku", "id"),
    "description": ("description", "detail_desc", "text", "title", "name"),
    "category": ("category", "product_type", "product_type_name", "type"),
    "product": ("product", "product_code", "product_group", "group", "style", "model", "parent_id"),
    "colour": ("colour", "color", "colour_group_name"),
    "image": ("image", "image_file", "filename", "image_path"),
    "user": ("user_id", "customer_id", "user", "customer"),
    "purchased": ("item_id", "article_id", "product_id", "item", "sku", "id"),
    "day": ("date", "day", "t_dat", "timestamp", "time"),
}
DESCRIPTIONS = {  # column -> how a message describes it
    "item": "the item's id",
    "purchased": "the purchased item (purchases)",
    "user": "the user (purchases)",
    "day": "the day (purchases)",
}
OPTIONAL = ("category", "product", "colour", "image")
NEED_PURCHASES = ("catalogues", "texts", "recommenders", "image_features", "text_features")  # axes


def create_study(
    name: str,
    items: Path,
    images: Path,
    purchases: Path | None,
    column_names: dict[str, str],
    captioner: tuple[str, str],
) -> tuple[Path, Columns]:
    """Write data/raw/<name>/ and studies/<name>.yaml; both are new, or nothing is written.

    The tables are linked. The pictures are packed into one zip: a link to a folder hides its files from DVC, and a
    hundred thousand files would slow down each of its commands.

    Args:
        name: of the data set.
        items: CSV with a row per item.
        images: folder of pictures.
        purchases: CSV with a row per purchase; None: the study is about captions alone.
        column_names: what -> name of the column, where the user names it; the others are guessed from the headers.
        captioner: name and family of the model that will describe the items.

    Returns:
        The parameter file, and which column is what.

    Raises:
        UserError: a file is missing, the name is taken, or a column cannot be found.
    """
    _check(name, items, images, purchases)
    columns = choose_columns(read_columns(items), read_columns(purchases) if purchases else [], column_names)
    folder, study = RAW / name, STUDIES / f"{name}.yaml"
    for path in (folder, study):
        if path.exists():
            raise UserError(f"{path}: exists already; choose another --name, or remove it")
    with new_folder(folder) as partial:
        pack_pictures(images, partial / shop.IMAGES_ZIP)
        for target, source in ((shop.ITEMS, items), (shop.PURCHASES, purchases)):
            if source:
                (partial / target).symlink_to(os.path.relpath(source.resolve(), partial.resolve()))
    write_study(study, name, columns, captioner, purchases is not None)
    return study, columns


def _check(name: str, items: Path, images: Path, purchases: Path | None) -> None:
    if not re.fullmatch(DATASET_NAME, name) or name in READERS:
        raise UserError(
            f"--name {name}: must be lower-case letters, digits, - and _, and none of: {', '.join(READERS)}"
        )
    for option, path in (("--items", items), ("--purchases", purchases)):
        if path and not path.is_file():
            raise UserError(f"{option} {path}: no such file")
    if not images.is_dir():
        raise UserError(f"--images {images}: no such folder")


def pack_pictures(images: Path, target: Path) -> None:
    """Write every picture below `images` to a zip, unchanged; equal pictures give equal bytes.

    Raises:
        UserError: there are no pictures.
    """
    files = Folder(images)
    names = list(list_images(files, "", shop.PICTURES))
    if not names:
        raise UserError(f"--images {images}: no pictures in it ({', '.join(shop.PICTURES)})")
    with new_file(target) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name in track(names, "packing pictures", len(names)):
            archive.writestr(zipfile.ZipInfo(shop.IMAGES + name), files.read(name))


def read_columns(path: Path) -> list[str]:
    """Read the column names of a CSV file."""
    with open(path, "rb") as file:
        return read_names(file, str(path))


def choose_columns(items_header: list[str], purchases_header: list[str], column_names: dict[str, str]) -> Columns:
    """Choose each column by the user's name for it, else by its usual names.

    >>> choose_columns(["sku", "title"], ["customer", "sku", "date"], {}).user
    'customer'

    Raises:
        UserError: a named column does not exist, or a required one cannot be guessed.
    """
    chosen = {}
    for what, usual in GUESSES.items():
        header = purchases_header if what in ("user", "purchased", "day") else items_header
        if what in column_names and column_names[what] not in header:
            raise UserError(
                f"--column {what}={column_names[what]}: no such column; there are: {', '.join(header) or 'none'}"
            )
        chosen[what] = column_names.get(what) or next((name for name in usual if name in header), "")
        if not chosen[what] and what not in OPTIONAL and header:
            raise UserError(
                f"which column is {DESCRIPTIONS.get(what, what)}? There are: {', '.join(header)}; "
                f"add --column {what}=NAME"
            )
        if not chosen[what] and not header:
            chosen[what] = usual[0]  # without purchases: the name that a file added later would use
    return Columns(**chosen)


def write_study(path: Path, name: str, columns: Columns, captioner: tuple[str, str], has_purchases: bool) -> None:
    """Write the sample's parameters and comments, for this shop; without purchases no recommendations."""
    yaml = YAML()
    yaml.preserve_quotes = True
    params: Any = yaml.load(REFERENCE.read_text(encoding="utf-8"))
    model, family = captioner
    params["dataset"], params["writer"] = name, model
    params["captioners"] = {model: {"family": family}}
    params["catalogue_prepare"]["columns"].update(columns.model_dump())
    if not has_purchases:
        for axis in NEED_PURCHASES:
            params[axis] = []
    with new_file(path) as partial, open(partial, "w", encoding="utf-8") as file:
        yaml.dump(params, file)
