"""H&M's raw layout (Kaggle, 2022): articles.csv, customers.csv, transactions_train.csv, images/0XX/0XXXXXXXXX.jpg.

The images may stay in `images.zip` or lie in the folder `images/`. The sample shop is written in the same layout.
"""

import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from catalogue.readers import Raw
from catalogue.validation import require_columns, require_file, require_folder, require_unique, require_values
from pipeline.errors import UserError

HERE = Path(__file__).parent
ARTICLE_ID_DIGITS, PRODUCT_CODE_DIGITS = 10, 7
ARTICLE_COLUMNS = ("article_id", "product_code", "product_type_name", "colour_group_name", "detail_desc")
TRANSACTION_COLUMNS = ("t_dat", "customer_id", "article_id")
FULL_ARTICLES = 105_542
FULL_COUNTS = {"articles": FULL_ARTICLES, "with_description": 105_126, "with_image": 104_696, "fashion": 104_232}
WHERE_FROM = {
    "sample": "run `dvc repro catalogue_sample`",
    "hm": "put articles.csv, transactions_train.csv and images.zip (or the folder images/) of the Kaggle competition "
    "h-and-m-personalized-fashion-recommendations there, or a link to a folder that has them; without them, study the sample (dataset: sample)",
}


def open_raw(folder: Path) -> Raw:
    """The catalogue in `folder`; reads the articles now, images and purchases when asked.

    Raises:
        UserError: a folder, file or column is missing, or an id comes twice.
    """
    what_to_do = WHERE_FROM.get(folder.name, WHERE_FROM["hm"])
    require_folder(folder, what_to_do)
    require_file(folder / "articles.csv", what_to_do)
    require_file(folder / "transactions_train.csv", what_to_do)
    articles = read_articles(folder / "articles.csv")
    names, image = _images(folder, what_to_do)
    names = {item: names[item] for item in articles["item_id"] if item in names}
    return Raw(
        folder=folder,
        articles=articles,
        image_names=names,
        image=lambda item: image(names[item]),
        purchases=partial(read_purchases, folder / "transactions_train.csv"),
        is_fashion=fashion(),
        truth=_truth(folder / "truth.csv"),
        full_counts=FULL_COUNTS if len(articles) == FULL_ARTICLES else {},
    )


def read_articles(path: Path) -> pd.DataFrame:
    """item_id, product_code, description, category, colour of every article, in file order."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable CSV file ({error}); fetch it again") from None
    require_columns(path, table.columns, ARTICLE_COLUMNS)
    require_values(path, table, ("article_id", "product_code", "product_type_name", "colour_group_name"))
    ids = table["article_id"].str.zfill(ARTICLE_ID_DIGITS)
    require_unique(path, "article_id", ids)
    description = table["detail_desc"].str.strip()
    return pd.DataFrame(
        {
            "item_id": ids,
            "product_code": table["product_code"].str.zfill(PRODUCT_CODE_DIGITS),
            "description": description.where(description.fillna("") != "", None),
            "category": table["product_type_name"],
            "colour": table["colour_group_name"].map(
                {name: simple_colour(name) for name in table["colour_group_name"].unique()}
            ),
        }
    )


def simple_colour(name: str) -> str:
    """The study's simplification of a colour group: the first rule that fits, ignoring case; "other" where none does."""
    lower = name.lower()
    for match, text, colour in _colour_rules():
        if lower == text or (match == "contains" and text in lower):
            return colour
    return "other"


def _colour_rules() -> list[tuple[str, str, str]]:
    rules = pd.read_csv(HERE / "hm_colours.csv", dtype=str)
    return list(zip(rules["match"], rules["text"], rules["colour"], strict=True))


def fashion() -> Callable[[str], bool]:
    """Whether the study takes a product type for fashion: its name contains one of the keywords, ignoring case."""
    keywords = [
        word.lower()
        for word in (HERE / "hm_fashion_keywords.txt").read_text(encoding="utf-8").split("\n")
        if word.strip()
    ]
    return lambda category: any(word in category.lower() for word in keywords)


def read_purchases(path: Path) -> Iterator[pa.RecordBatch]:
    """user_id, item_id, day in batches, in file order.

    Raises:
        UserError: a column is missing or a day is no date.
    """
    types = {"t_dat": pa.date32(), "customer_id": pa.string(), "article_id": pa.string()}
    try:
        require_columns(path, csv.open_csv(path).schema.names, TRANSACTION_COLUMNS)
        reader = csv.open_csv(
            path,
            convert_options=csv.ConvertOptions(
                column_types=types, include_columns=list(types), strings_can_be_null=False
            ),
        )
        for batch in reader:
            item = pc.utf8_lpad(batch["article_id"], ARTICLE_ID_DIGITS, "0")
            yield pa.record_batch(
                {"user_id": batch["customer_id"], "item_id": item, "day": batch["t_dat"].cast(pa.int32())}
            )
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: {error}; days are written as 2018-09-20, one purchase a line") from None


def _images(folder: Path, what_to_do: str) -> tuple[dict[str, str], Callable[[str], bytes]]:
    """item_id -> name of its image, and the function from that name to its bytes."""
    if (folder / "images").is_dir():
        paths = sorted((folder / "images").rglob("*.jpg"))
        return {path.stem: str(path) for path in paths}, lambda name: Path(name).read_bytes()
    archive_path = folder / "images.zip"
    require_file(archive_path, f"{what_to_do} (the folder {folder / 'images'} does as well)")
    try:
        archive = zipfile.ZipFile(archive_path)
    except zipfile.BadZipFile as error:
        raise UserError(f"{archive_path}: not a readable zip ({error}); fetch it again") from None
    members = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
    prefix = f"{archive_path}: "
    return {PurePosixPath(name).stem: prefix + name for name in members}, lambda name: _member(
        archive, name.removeprefix(prefix), name
    )


def _member(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    try:
        return archive.read(member)
    except zipfile.BadZipFile as error:
        raise UserError(f"{name}: damaged in the zip ({error}); fetch the file again") from None


def _truth(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame({"item_id": pd.Series([], dtype=str)})
    table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    require_columns(path, table.columns, ["article_id"])
    return table.rename(columns={"article_id": "item_id"})
