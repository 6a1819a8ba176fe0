"""A study about a shop of your own: its files put in place, and a parameter file that names their columns."""

import os
import re
import zipfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from catalogue.readers import READERS, shop
from catalogue.readers.files import Folder, list_images
from catalogue.readers.settings import DATASET_NAME, Columns
from catalogue.readers.tables import read_header
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file, new_folder
from pipeline.core.params import REFERENCE
from pipeline.core.progress import track

RAW, STUDIES = Path("data/raw"), Path("studies")
GUESSES = {  # what a column is often called, the first that is found wins; the rest is asked for
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
ASKED = {
    "item": "the item's id",
    "purchased": "the item that was bought (purchases)",
    "user": "the user (purchases)",
    "day": "the day (purchases)",
}
OPTIONAL = ("category", "product", "colour", "image")
WITHOUT_PURCHASES = ("catalogues", "texts", "recommenders", "image_features", "text_features")


def init(
    name: str, items: Path, images: Path, purchases: Path | None, given: dict[str, str], captioner: tuple[str, str]
) -> tuple[Path, Columns]:
    """Makes data/raw/<name>/ and studies/<name>.yaml; both are new, or nothing is written.

    The tables are linked. The pictures are packed into one zip: a link to a folder hides from DVC what is in it, and a
    hundred thousand files would slow down each of its commands.

    Args:
        given: what each column is called, where the user said so; the others are guessed from the headers.
        captioner: name and family of the model that will describe the items.

    Returns:
        The parameter file, and which column is what.

    Raises:
        UserError: a file is missing, the name is taken, or a column cannot be found.
    """
    _check(name, items, images, purchases)
    columns = choose(header(items), header(purchases) if purchases else [], given)
    folder, study = RAW / name, STUDIES / f"{name}.yaml"
    for path in (folder, study):
        if path.exists():
            raise UserError(f"{path}: exists already; choose another --name, or remove it")
    with new_folder(folder) as partial:
        pack(images, partial / shop.IMAGES_ZIP)
        for target, source in ((shop.ITEMS, items), (shop.PURCHASES, purchases)):
            if source:
                (partial / target).symlink_to(os.path.relpath(source.resolve(), partial.resolve()))
    write_study(study, name, columns, captioner, purchases is not None)
    return study, columns


def _check(name: str, items: Path, images: Path, purchases: Path | None) -> None:
    if not re.fullmatch(DATASET_NAME, name) or name in READERS:
        raise UserError(f"--name {name}: lower-case letters, digits, - and _, and none of: {', '.join(READERS)}")
    for option, path in (("--items", items), ("--purchases", purchases)):
        if path and not path.is_file():
            raise UserError(f"{option} {path}: no such file")
    if not images.is_dir():
        raise UserError(f"--images {images}: no such folder")


def pack(images: Path, target: Path) -> None:
    """Writes every picture below `images` to a zip, as it is; the same bytes for the same pictures.

    Raises:
        UserError: there are none.
    """
    files = Folder(images)
    names = list(list_images(files, "", shop.PICTURES))
    if not names:
        raise UserError(f"--images {images}: no pictures in it ({', '.join(shop.PICTURES)})")
    with new_file(target) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name in track(names, "packing pictures", len(names)):
            archive.writestr(zipfile.ZipInfo(shop.IMAGES + name), files.read(name))


def header(path: Path) -> list[str]:
    """Column names of a CSV file."""
    with open(path, "rb") as file:
        return [cell.strip().strip('"') for cell in read_header(file, str(path)).split(",")]


def choose(of_items: list[str], of_purchases: list[str], given: dict[str, str]) -> Columns:
    """Each column by what was given, else by its usual names.

    Raises:
        UserError: a given column is not there, or one that is needed is not found.
    """
    chosen = {}
    for what, usual in GUESSES.items():
        found = of_purchases if what in ("user", "purchased", "day") else of_items
        if what in given and given[what] not in found:
            raise UserError(f"--column {what}={given[what]}: no such column; found: {', '.join(found) or 'none'}")
        chosen[what] = given.get(what) or next((name for name in usual if name in found), "")
        if not chosen[what] and what not in OPTIONAL and found:
            raise UserError(
                f"which column is {ASKED.get(what, what)}? Found {', '.join(found)}; say --column {what}=NAME"
            )
        if not chosen[what] and not found:
            chosen[what] = usual[0]  # without purchases: what a file added later would have
    return Columns(**chosen)


def write_study(path: Path, name: str, columns: Columns, captioner: tuple[str, str], has_purchases: bool) -> None:
    """The sample's parameters with the comments they have, for this shop; without purchases no recommendations."""
    yaml = YAML()
    yaml.preserve_quotes = True
    params: Any = yaml.load(REFERENCE.read_text(encoding="utf-8"))
    model, family = captioner
    params["dataset"], params["writer"] = name, model
    params["captioners"] = {model: {"family": family}}
    params["catalogue_prepare"]["columns"].update(columns.model_dump())
    if not has_purchases:
        for axis in WITHOUT_PURCHASES:
            params[axis] = []
    with new_file(path) as partial, open(partial, "w", encoding="utf-8") as file:
        yaml.dump(params, file)
