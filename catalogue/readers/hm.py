"""H&M's raw layout (Kaggle, 2022): articles.csv, customers.csv, transactions_train.csv, images/0XX/0XXXXXXXXX.jpg.

All of it may stay in Kaggle's one zip, or lie in a folder with the images in `images/` or in `images.zip`. Nothing is
unpacked. The sample shop is written in the same layout.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from catalogue.readers import Raw
from catalogue.readers.files import Files, Folder, Zip
from catalogue.readers.pictures import IMAGES, list_pictures, match_ids
from catalogue.readers.settings import ReaderSettings
from catalogue.readers.tables import clean_texts, convert_days, read_table, refuse_negative, stream, trim_ids
from catalogue.readers.validation import require_folder, require_unique, require_values
from pipeline.core.errors import UserError

HERE = Path(__file__).parent
ARTICLE_ID_DIGITS = 10
PRODUCT_CODE_DIGITS = 7
ARTICLE_COLUMNS = ("article_id", "product_code", "product_type_name", "colour_group_name", "detail_desc")
TRANSACTION_COLUMNS = {
    "t_dat": pa.string(),
    "customer_id": pa.string(),
    "article_id": pa.string(),
    "price": pa.float64(),
}
ARTICLES = "articles.csv"
TRANSACTIONS = "transactions_train.csv"
IMAGES_ZIP = "images.zip"
FULL_ARTICLES = 105_542
FULL_COUNTS = {
    "articles": FULL_ARTICLES,
    "with_description": 105_126,
    "with_image": 104_696,
    "frequent_types": 100,
    "fashion": 104_232,
    "fashion_types": 89,
    "split_by_policy.random.train": 83_385,
    "split_by_policy.random.validation": 10_423,
    "split_by_policy.random.test": 10_424,
}
FULL_PURCHASES = {"purchases_read": 31_788_324, "purchases_in_original": 31_400_864}
REMEDIES = {  # folder -> how its data gets there
    "sample": "run `dvc repro sample_shop`",
    "hm": "put the zip of the Kaggle competition h-and-m-personalized-fashion-recommendations there, or its "
    "articles.csv, transactions_train.csv and images/ (or images.zip), or a link to a folder that has them; without "
    "them, study the sample (dataset: sample)",
}


def open_raw(folder: Path, settings: ReaderSettings | None = None) -> Raw:
    """Read the articles of `folder`; images and purchases are read when they are needed.

    Raises:
        UserError: a folder, file or column is missing, or an id occurs twice.
    """
    remedy = REMEDIES.get(folder.name, REMEDIES["hm"])
    files = find_tables(folder, remedy)
    articles = read_articles(files, ARTICLES)
    pictures = find_images(folder, files, remedy)
    images = list_pictures(pictures)
    names = match_ids(pictures, images, articles["item_id"])
    return Raw(
        folder=folder,
        articles=articles,
        image_names={item: pictures.locate(name) for item, name in names.items()},
        read_image=lambda item: pictures.read(names[item]),
        read_purchases=partial(read_purchases, files, TRANSACTIONS),
        is_fashion=fashion_filter(),
        truth=_read_truth(folder / "truth.csv"),
        full_counts=FULL_COUNTS if len(articles) == FULL_ARTICLES else {},
        stamps={item: pictures.stamps[name] for item, name in names.items()},
        full_purchases=FULL_PURCHASES if len(articles) == FULL_ARTICLES else {},
        unmatched=[pictures.locate(name) for name in sorted(set(images) - set(names.values()))],
    )


def find_tables(folder: Path, remedy: str) -> Files:
    """Find articles.csv: in the folder, or in a zip there, such as Kaggle's.

    Raises:
        UserError: there is no such file, or the purchases are not beside it.
    """
    require_folder(folder, remedy)
    files: Files | None = Folder(folder) if (folder / ARTICLES).is_file() else None
    if files is None:
        zips = (Zip(path) for path in sorted(folder.glob("*.zip")) if path.name != IMAGES_ZIP)
        files = next((archive for archive in zips if ARTICLES in archive), None)
    if files is None:
        raise UserError(f"{folder / ARTICLES}: no such file, nor a zip that has it; {remedy}")
    if TRANSACTIONS not in files:
        raise UserError(f"{files.locate(TRANSACTIONS)}: no such file; {remedy}")
    return files


def find_images(folder: Path, files: Files, remedy: str) -> Files:
    """Find images/0XX/0XXXXXXXXX.jpg: beside the articles, in the folder, or in images.zip there.

    Raises:
        UserError: there is neither images/ nor images.zip.
    """
    if isinstance(files, Zip) and list_pictures(files):
        return files
    if (folder / IMAGES).is_dir():
        return Folder(folder)
    if not (folder / IMAGES_ZIP).is_file():
        raise UserError(f"{folder / IMAGES_ZIP}: no such file; {remedy} (the folder {folder / 'images'} does as well)")
    return Zip(folder / IMAGES_ZIP)


def read_articles(files: Files, name: str) -> pd.DataFrame:
    """Read item_id, product_code, description, category and colour of every article, in file order."""
    path, table = Path(files.locate(name)), read_table(files, name, ARTICLE_COLUMNS)
    require_values(path, table, ("article_id", "product_code", "product_type_name", "colour_group_name"))
    _refuse_other_ids(path, table["article_id"])
    ids = table["article_id"].str.zfill(ARTICLE_ID_DIGITS)
    require_unique(path, "article_id", ids)
    colours = table["colour_group_name"]
    return pd.DataFrame(
        {
            "item_id": ids,
            "product_code": table["product_code"].str.zfill(PRODUCT_CODE_DIGITS),
            "description": clean_texts(table["detail_desc"]),
            "category": table["product_type_name"],
            "colour": colours.map({colour: simplify_colour(colour) for colour in colours.unique()}),
        }
    )


def _refuse_other_ids(path: Path, ids: pd.Series) -> None:
    """Refuse what a spreadsheet makes of ids, such as `108775015.0` or `1.08775E+08`.

    Nine digits are allowed: ten without the leading zero.
    """
    wrong = ids[~ids.str.fullmatch(r"\d{1,10}")]
    if len(wrong):
        raise UserError(
            f"{path}: article_id {wrong.iloc[0]!r} in row {wrong.index[0] + 1} is not a number of at most ten digits "
            f"({len(wrong)} such rows); a spreadsheet may have changed it: use the file as published"
        )


def simplify_colour(name: str) -> str:
    """Simplify a colour group as the study does: by the first rule that fits, ignoring case, else to "other"."""
    lower = name.lower()
    for match, text, colour in _read_colour_rules():
        if lower == text or (match == "contains" and text in lower):
            return colour
    return "other"


def _read_colour_rules() -> list[tuple[str, str, str]]:
    rules = pd.read_csv(HERE / "hm_colours.csv", dtype=str)
    return list(zip(rules["match"], rules["text"], rules["colour"], strict=True))


def fashion_filter() -> Callable[[str], bool]:
    """Return the study's test of a product type: fashion if its name contains one of the keywords, ignoring case."""
    lines = (HERE / "hm_fashion_keywords.txt").read_text(encoding="utf-8").split("\n")
    keywords = [line.lower() for line in lines if line.strip()]
    return lambda category: any(word in category.lower() for word in keywords)


def read_purchases(files: Files, name: str) -> Iterator[pa.RecordBatch]:
    """Yield user_id, item_id and day in batches, in file order.

    Raises:
        UserError: a column is missing, a day is not a date, or a price is negative.
    """
    path = files.locate(name)
    for batch in stream(files, name, TRANSACTION_COLUMNS):
        refuse_negative(path, "price", batch["price"])
        user, item = (trim_ids(path, column, batch[column]) for column in ("customer_id", "article_id"))
        yield pa.record_batch(
            {
                "user_id": user,
                "item_id": pc.utf8_lpad(item, ARTICLE_ID_DIGITS, "0"),
                "day": convert_days(path, "t_dat", batch["t_dat"]),
            }
        )


def _read_truth(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame({"item_id": pd.Series([], dtype=str)})
    table = read_table(Folder(path.parent), path.name, ["article_id"])
    return table.rename(columns={"article_id": "item_id"})
