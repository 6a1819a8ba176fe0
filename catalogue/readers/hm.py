"""H&M's raw layout (Kaggle, 2022): articles.csv, customers.csv, transactions_train.csv, images/0XX/0XXXXXXXXX.jpg.

All of it may stay in Kaggle's one zip; or lie in a folder, with the images in `images/` or in `images.zip`. Nothing is
unpacked. The sample shop is written in the same layout.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from catalogue.readers import Raw
from catalogue.readers.files import Files, Folder, Zip, images_in
from catalogue.readers.settings import ReaderSettings
from catalogue.readers.tables import one_line, read_table, refuse_negative, stream
from catalogue.readers.validation import require_columns, require_folder, require_unique, require_values
from pipeline.core.errors import UserError

HERE = Path(__file__).parent
ARTICLE_ID_DIGITS, PRODUCT_CODE_DIGITS = 10, 7
ARTICLE_COLUMNS = ("article_id", "product_code", "product_type_name", "colour_group_name", "detail_desc")
TRANSACTION_COLUMNS = {
    "t_dat": pa.date32(),
    "customer_id": pa.string(),
    "article_id": pa.string(),
    "price": pa.float64(),
}
ARTICLES, TRANSACTIONS, IMAGES, IMAGES_ZIP = "articles.csv", "transactions_train.csv", "images/", "images.zip"
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
WHERE_FROM = {
    "sample": "run `dvc repro sample_shop`",
    "hm": "put the zip of the Kaggle competition h-and-m-personalized-fashion-recommendations there, or its articles.csv, "
    "transactions_train.csv and images/ (or images.zip), or a link to a folder that has them; without them, study the "
    "sample (dataset: sample)",
}


def open_raw(folder: Path, settings: ReaderSettings | None = None) -> Raw:
    """The catalogue in `folder`; reads the articles now, images and purchases when asked.

    Raises:
        UserError: a folder, file or column is missing, or an id comes twice.
    """
    what_to_do = WHERE_FROM.get(folder.name, WHERE_FROM["hm"])
    files = source(folder, what_to_do)
    articles = read_articles(files, ARTICLES)
    pictures = images(folder, files, what_to_do)
    found = {PurePosixPath(name).stem: name for name in images_in(pictures, IMAGES)}
    names = {item: found[item] for item in articles["item_id"] if item in found}
    return Raw(
        folder=folder,
        articles=articles,
        image_names={item: pictures.where(name) for item, name in names.items()},
        image=lambda item: pictures.read(names[item]),
        purchases=partial(read_purchases, files, TRANSACTIONS),
        is_fashion=fashion(),
        truth=_truth(folder / "truth.csv"),
        full_counts=FULL_COUNTS if len(articles) == FULL_ARTICLES else {},
        stamps={item: pictures.stamps[name] for item, name in names.items()},
        full_purchases=FULL_PURCHASES if len(articles) == FULL_ARTICLES else {},
    )


def source(folder: Path, what_to_do: str) -> Files:
    """Where articles.csv lies: the folder, or the one zip in it that has it (Kaggle's, as it is).

    Raises:
        UserError: it is nowhere, or the purchases are not beside it.
    """
    require_folder(folder, what_to_do)
    places: list[Files] = [
        Folder(folder),
        *(Zip(path) for path in sorted(folder.glob("*.zip")) if path.name != IMAGES_ZIP),
    ]
    files = next(
        (
            place
            for place in places
            if (place.path / ARTICLES).is_file() or (isinstance(place, Zip) and ARTICLES in place)
        ),
        None,
    )
    if files is None:
        raise UserError(f"{folder / ARTICLES}: no such file, nor a zip that has it; {what_to_do}")
    if TRANSACTIONS not in files:
        raise UserError(f"{files.where(TRANSACTIONS)}: no such file; {what_to_do}")
    return files


def images(folder: Path, files: Files, what_to_do: str) -> Files:
    """Where images/0XX/0XXXXXXXXX.jpg lie: beside the articles, in the folder, or in images.zip there.

    Raises:
        UserError: they are nowhere.
    """
    if isinstance(files, Zip) and any(images_in(files, IMAGES)):
        return files
    if (folder / IMAGES).is_dir():
        return Folder(folder)
    if not (folder / IMAGES_ZIP).is_file():
        raise UserError(
            f"{folder / IMAGES_ZIP}: no such file; {what_to_do} (the folder {folder / 'images'} does as well)"
        )
    return Zip(folder / IMAGES_ZIP)


def read_articles(files: Files, name: str) -> pd.DataFrame:
    """item_id, product_code, description, category, colour of every article, in file order."""
    path, table = Path(files.where(name)), read_table(files, name, ARTICLE_COLUMNS)
    require_values(path, table, ("article_id", "product_code", "product_type_name", "colour_group_name"))
    _refuse_other_ids(path, table["article_id"])
    ids = table["article_id"].str.zfill(ARTICLE_ID_DIGITS)
    require_unique(path, "article_id", ids)
    return pd.DataFrame(
        {
            "item_id": ids,
            "product_code": table["product_code"].str.zfill(PRODUCT_CODE_DIGITS),
            "description": one_line(table["detail_desc"]),
            "category": table["product_type_name"],
            "colour": table["colour_group_name"].map(
                {name: simple_colour(name) for name in table["colour_group_name"].unique()}
            ),
        }
    )


def _refuse_other_ids(path: Path, ids: pd.Series) -> None:
    """Nine digits are ten without the leading zero; `108775015.0` or `1.08775E+08` is what a spreadsheet made of them."""
    wrong = ids[~ids.str.fullmatch(r"\d{1,10}")]
    if len(wrong):
        raise UserError(
            f"{path}: article_id {wrong.iloc[0]!r} in row {wrong.index[0] + 1} is no number of at most ten digits ({len(wrong)} such rows); a spreadsheet may have changed it: use the file as published"
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


def read_purchases(files: Files, name: str) -> Iterator[pa.RecordBatch]:
    """user_id, item_id, day in batches, in file order.

    Raises:
        UserError: a column is missing, a day is no date, a price is negative or an id is not one of H&M's.
    """
    where = files.where(name)
    for batch in stream(files, name, TRANSACTION_COLUMNS):
        refuse_negative(where, "price", batch["price"])
        item = pc.utf8_lpad(batch["article_id"], ARTICLE_ID_DIGITS, "0")
        yield pa.record_batch(
            {"user_id": batch["customer_id"], "item_id": item, "day": batch["t_dat"].cast(pa.int32())}
        )


def _truth(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame({"item_id": pd.Series([], dtype=str)})
    table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    require_columns(path, table.columns, ["article_id"])
    return table.rename(columns={"article_id": "item_id"})
