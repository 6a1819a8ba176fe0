"""Fuzzed inputs of every reader: what is written otherwise reads the same, what is damaged is refused or read as it is.

20 inputs of each reader and kind, 400 with LOOKBOOK_FULL. An error that is no UserError fails, and so does a value that
differs from the clean file's, or, of a damaged file, from what a plain independent reading of the same bytes gives.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from captioning.interchange.caption_files import read_caption_file
from catalogue.readers import shop
from catalogue.readers.files import Folder
from catalogue.readers.settings import Columns
from pipeline.cells.missing import find_nobody, is_missing
from pipeline.core.params import REFERENCE, load
from recsys.interchange.reading import read_lists, read_purchases
from recsys.interchange.tables import NAMES
from tests.helpers.fuzzing import INPUTS, Rows, damage, try_all, write_csv, write_json, write_list, write_parquet
from tests.helpers.wild_shop import list_purchases, list_rows

# .ci/full runs the slow ones
pytestmark = [pytest.mark.slow] if INPUTS > 20 else []
COLUMNS = Columns.model_validate(load(REFERENCE)["catalogue_prepare"]["columns"])
ITEMS: Rows = [["item_id", "description", "category"]]
ITEMS += [[row["item_id"], row["description"], row["category"]] for row in list_rows(12)]
ITEMS += [["B-1", "", "cap"], ["Jäckchen", "100% wool & silk < 5 mm", "cap"]]
PURCHASES: Rows = [["user_id", "item_id", "date"], *map(list, list_purchases(list_rows(12), 4, 4))]
CAPTIONS = [
    ("7", "a red dress", ["a red dress", "it's a dress"]),
    ("08", "", ["a cap"]),
    ("x y", 'a "cap"', ["[new] cap", "b"]),
]
LISTS = [("u1", "i1", 3.0), ("u1", "i2", 2.5), ("u2", "i1", 1.0), ("u2", "i9", 0.5)]


def plain_rows(path: Path, names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Read columns by Python's csv module alone; what is not UTF-8 in another column does not matter."""
    text = path.read_bytes().decode("utf-8-sig", "replace")
    header, *rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    header = [name.strip() for name in header]
    return [tuple(row[header.index(name)] for name in names) for row in rows if any(cell.strip() for cell in row)]


# Items


def read_items(folder: Path) -> list[tuple]:
    table = shop.read_table(Folder(folder), shop.ITEMS, COLUMNS.list_item_columns())
    items = shop.read_items(shop.ITEMS, table, COLUMNS)
    return list(items[["item_id", "description", "category"]].itertuples(index=False, name=None))


def restyle_items(draws: Random) -> bytes:
    def word(text: str) -> str:
        if not text:
            return draws.choice(("", " ", "NULL", "nan", r"\N", "<p></p>", "N/A", "&nbsp;"))
        if "&" in text or draws.random() < 0.5:
            return text
        return draws.choice(
            (f"<p>{text}</p>", f"<div class='a'>{text}<br/></div>", f" {text}\n", text.replace(" ", "&nbsp;"))
        )

    return write_csv(
        [ITEMS[0], *([f" {item}"[draws.randrange(2) :], word(text), kind] for item, text, kind in ITEMS[1:])], draws
    )


def test_items_in_other_styles_are_the_same(tmp_path: Path) -> None:
    clean = [(item, text or None, kind) for item, text, kind in ITEMS[1:]]
    assert try_all("items", restyle_items, tmp_path / "items.csv", lambda: read_items(tmp_path), lambda: clean) == 1


def test_damaged_items_are_refused_or_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"

    def allowed() -> list[tuple]:
        rows = [tuple(cell.strip() for cell in row) for row in plain_rows(path, ("item_id", "description", "category"))]
        texts = shop.clean_texts(shop.pd.Series([row[1] for row in rows], dtype="str"))
        return [(row[0], text, "item" if is_missing(row[2]) else row[2]) for row, text in zip(rows, texts, strict=True)]

    try_all("bad items", lambda draws: damage(restyle_items(draws), draws), path, lambda: read_items(tmp_path), allowed)


# Purchases


def read_bought(folder: Path) -> list[tuple]:
    rows = []
    for batch in shop.read_purchases(Folder(folder), COLUMNS):
        nobody = find_nobody(batch["user_id"]).to_pylist()
        rows += [tuple(row.values()) for row, left_out in zip(batch.to_pylist(), nobody, strict=True) if not left_out]
    return rows


def count_days(text: str) -> int:
    return (date.fromisoformat(text.strip()[:10]) - date(1970, 1, 1)).days


def restyle_purchases(draws: Random) -> bytes:
    seconds = draws.choice((0, 1, 10**3, 10**6, 10**9))
    clock = draws.choice(("", " 14:00:22", "T23:59:59Z", "T00:30:00+02:00", " 08:00"))
    rows = [
        [user, item, str(count_days(day) * 86_400 * seconds) if seconds else day + clock]
        for user, item, day in PURCHASES[1:]
    ]
    for word in draws.sample(("", "NULL", "guest", "nan", r"\N", " "), draws.randrange(4)):
        rows.insert(draws.randrange(len(rows)), [word, "A001", rows[0][2]])
    return write_csv([PURCHASES[0], *rows], draws)


def test_purchases_in_other_styles_are_the_same(tmp_path: Path) -> None:
    clean = [(user, item, count_days(day)) for user, item, day in PURCHASES[1:]]
    path = tmp_path / "purchases.csv"
    assert try_all("purchases", restyle_purchases, path, lambda: read_bought(tmp_path), lambda: clean) == 1


def test_damaged_purchases_are_refused_or_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "purchases.csv"

    def allowed() -> list[tuple]:
        rows = [tuple(cell.strip() for cell in row) for row in plain_rows(path, tuple(PURCHASES[0]))]
        nobody = find_nobody(shop.pa.array([row[0] for row in rows], shop.pa.string())).to_pylist()
        return [(*row[:2], count_days(row[2])) for row, left_out in zip(rows, nobody, strict=True) if not left_out]

    try_all(
        "bad", lambda draws: damage(write_csv(PURCHASES, draws), draws), path, lambda: read_bought(tmp_path), allowed
    )


# Captions


def restyle_captions(draws: Random) -> bytes:
    rows = [["id", "caption", "references"], *([name, text, write_list(of, draws)] for name, text, of in CAPTIONS)]
    return write_csv(rows, draws)


def restyle_captions_as_json(draws: Random) -> bytes:
    rows = [["id", "caption", "references"], *([name, text, json.dumps(of)] for name, text, of in CAPTIONS)]
    return write_json(rows, draws, lambda row: row | {"references": json.loads(row["references"])})


def restyle_captions_as_parquet(draws: Random) -> bytes:
    return write_parquet(
        {"id": [name for name, _, _ in CAPTIONS], "caption": [text for _, text, _ in CAPTIONS]}
        | {"references": [of for _, _, of in CAPTIONS]},
        draws,
    )


MAKE_CAPTIONS = {"csv": restyle_captions, "json": restyle_captions_as_json, "parquet": restyle_captions_as_parquet}


@pytest.mark.parametrize("ending", MAKE_CAPTIONS)
def test_captions_in_other_styles_are_the_same(tmp_path: Path, ending: str) -> None:
    path, make = tmp_path / f"a.{ending}", MAKE_CAPTIONS[ending]
    clean = {name: text for name, text, _ in CAPTIONS}, {name: of for name, _, of in CAPTIONS}, []
    assert try_all(f"captions {ending}", make, path, lambda: tuple(read_caption_file(path)), lambda: clean) == 1


@pytest.mark.parametrize("ending", MAKE_CAPTIONS)
def test_damaged_captions_are_refused_or_read_as_they_are(tmp_path: Path, ending: str) -> None:
    path, make = tmp_path / f"a.{ending}", MAKE_CAPTIONS[ending]

    def allowed() -> dict[str, str]:
        if ending == "csv":
            return {name.strip(): text for name, text in plain_rows(path, ("id", "caption"))}
        if ending == "parquet":
            table = pq.read_table(path)
            return {
                name.strip(): text
                for name, text in zip(*(table[key].to_pylist() for key in ("id", "caption")), strict=True)
            }
        rows = json.loads(path.read_text("utf-8-sig"))
        return {str(row["id"]).strip(): row["caption"] for row in rows}

    try_all(
        f"bad {ending}",
        lambda draws: damage(make(draws), draws),
        path,
        lambda: read_caption_file(path).captions,
        allowed,
    )


# Lists and purchases of other programs


def restyle_lists(draws: Random) -> bytes:
    end = draws.choice(("\n", "\r\n"))
    lines = [
        f"{user}\t{item}\t{draws.choice((str(score), f'{score:.3f}', f'{score:e}'))}{end}"
        for user, item, score in LISTS
    ]
    return draws.choice((b"", b"\xef\xbb\xbf")) + "".join(lines).encode()


def restyle_lists_as_csv(draws: Random) -> bytes:
    names = [draws.choice(("user", "user_id", "userId")), draws.choice(("item", "item_id", "itemId")), "score"]
    return write_csv([names, *([user, item, str(score)] for user, item, score in LISTS)], draws)


def restyle_lists_as_parquet(draws: Random) -> bytes:
    users, items, scores = (list(column) for column in zip(*LISTS, strict=True))
    names = [draws.choice(("user", "user_id", "userId")), draws.choice(("item", "item_id", "itemId")), "score"]
    return write_parquet(dict(zip(names, (users, items, scores), strict=True)), draws)


def plain_columns(path: Path, values: str) -> list[tuple]:
    """Read user, item and a column of numbers of a Parquet file by pyarrow alone."""
    table = pq.read_table(path)
    names = [next(name for name in table.column_names if name in NAMES[key]) for key in ("user", "item", values)]
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def pair_rows(path: Path, read: Callable[[Path], Any]) -> list[tuple]:
    rows = read(path)
    users, items = ([ids.names[int(code)].as_py() for code in ids.codes] for ids in (rows.user, rows.item))
    return list(zip(users, items, *(values.tolist() for values in rows.values.values()), strict=True))


@pytest.mark.parametrize("ending", ["tsv", "csv", "tsv.gz", "csv.gz", "parquet"])
@pytest.mark.parametrize("kind", ["same", "bad"])
def test_lists_in_other_styles_are_the_same_and_damaged_ones_read_as_they_are(
    tmp_path: Path, ending: str, kind: str
) -> None:
    path, form = tmp_path / f"a.{ending}", ending.removesuffix(".gz")
    make = {"tsv": restyle_lists, "csv": restyle_lists_as_csv, "parquet": restyle_lists_as_parquet}[form]
    pack = gzip.compress if ending.endswith("gz") else bytes

    def allowed() -> list[tuple]:
        if kind == "same" or ending.endswith("gz"):
            return LISTS
        if ending == "parquet":
            return plain_columns(path, "score")
        if ending == "csv":
            header = [name.strip() for name in next(csv.reader(io.StringIO(path.read_text("utf-8-sig", "replace"))))]
            user, item = (next(name for name in header if name in NAMES[kind]) for kind in ("user", "item"))
            return [(*row[:2], float(row[2])) for row in plain_rows(path, (user, item, "score"))]
        lines = [
            line for line in path.read_text("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n") if line
        ]
        return [(user, item, float(score)) for user, item, score in (line.split("\t") for line in lines)]

    damaged = (lambda draws: damage(pack(make(draws)), draws)) if kind == "bad" else (lambda draws: pack(make(draws)))
    share = try_all(f"lists {ending} {kind}", damaged, path, lambda: pair_rows(path, read_lists), allowed)
    assert kind == "bad" or share == 1
    if kind == "same":
        assert [row[:2] for row in pair_rows(path, read_purchases)] == [row[:2] for row in LISTS]


def test_damaged_purchases_in_parquet_are_refused_or_read_as_they_are(tmp_path: Path) -> None:
    path, (users, items, ratings) = tmp_path / "a.parquet", map(list, zip(*LISTS, strict=True))
    columns = {"user": users, "item": items, "rating": ratings}
    try_all(
        "purchases parquet",
        lambda draws: damage(write_parquet(columns, draws), draws),
        path,
        lambda: pair_rows(path, read_purchases),
        lambda: plain_columns(path, "rating"),
    )
