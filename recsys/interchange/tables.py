"""Tables of purchases and lists in three forms, with our names for their columns: see `recsys.interchange.reading`."""

import gzip
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipeline.cells.rows import read_names
from pipeline.cells.streams import stream_columns
from pipeline.core.errors import UserError

NAMES = {
    "user": ("user", "user_id", "userId"),
    "item": ("item", "item_id", "itemId"),
    "rating": ("rating",),
    "score": ("score",),
    "rank": ("rank",),
    "timestamp": ("timestamp", "time"),
}
PURCHASES = ("user", "item", "rating", "timestamp")
LISTS = ("user", "item", "score", "rank")
WARPREC = ("user_id", "item_id", "rating", "timestamp")  # the header of WarpRec's TSVs, of purchases and of lists
HEADER_WORDS = frozenset(
    (
        "user", "userid", "uid", "customer", "customerid", "customerno", "client", "clientid", "reviewer", "reviewerid",
        "visitor", "visitorid", "session", "sessionid", "item", "itemid", "itemno", "iid", "article", "articleid",
        "articleno", "product", "productid", "productcode", "stockcode", "sku", "asin", "parentasin", "movie",
        "movieid", "rating", "score", "rank", "timestamp", "account", "artikel", "buyer", "email", "garment", "kunde",
        "member", "name", "order", "orderid", "shopper", "style", "title", "username", "variant",
    )
)  # fmt: skip
MOST_WORDS = 3  # of a column's name; titles have more
_IDS = pa.dictionary(pa.int32(), pa.string())
_TYPES = {"user": _IDS, "item": _IDS, "timestamp": pa.string()}  # our name -> type; the others are numbers


def read_tsv(path: Path, columns: tuple[str, ...], numbers: tuple[str, ...]) -> pa.Table:
    """Read a file of tab-separated columns without a header, or with WarpRec's.

    Args:
        path: The file.
        columns: Our names of the columns, in their order.
        numbers: Those to read besides user and item.

    Raises:
        UserError: it has another number of columns, another header, or no rows.
    """
    with pa.input_stream(str(path), compression="detect") as stream:
        first = stream.read(1 << 16).decode("utf-8", errors="replace").splitlines()
    fields = first[0].split("\t") if first else []
    form = f"{', '.join(columns[:2])}[, {columns[2]}[, {columns[3]}]]"
    if fields and not 2 <= len(fields) <= len(columns):
        raise UserError(
            f"{path}: expected tab-separated columns {form} without a header, found {len(fields)} column(s) in the "
            f"first line: {first[0][:80]!r}; a file with commas and a header must be called .csv"
        )
    has_header = len(fields) > 1 and tuple(fields) == WARPREC[: len(fields)]
    if fields and not has_header and _is_header([line.split("\t") for line in first]):
        raise UserError(
            f"{path}: the first line is a header, {first[0]!r}; remove it, write {', '.join(WARPREC[:3])} as WarpRec "
            "does, or write commas and call the file .csv"
        )
    if len(fields) > 2 and not has_header and not _is_number(fields[2]):
        raise UserError(
            f"{path}: expected tab-separated columns {form} without a header, found {columns[2]} {fields[2]!r} in the "
            "first line; remove the header, or write commas and call it .csv"
        )
    if not fields or (has_header and len(first) == 1):
        raise UserError(f"{path}: has no rows")
    names = [*columns[:3], "timestamp" if has_header else columns[3]][: len(fields)]
    types = {name: _TYPES.get(name, pa.float64()) for name in names if name in ("user", "item", *numbers)}
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(column_names=names, block_size=1 << 24, skip_rows=int(has_header)),
        parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
        convert_options=csv.ConvertOptions(column_types=types, include_columns=list(types)),
    )


def read_csv(path: Path, columns: tuple[str, ...], numbers: tuple[str, ...]) -> pa.Table:
    """Read a CSV with a header."""
    with _open(path) as file:
        header = read_names(file, str(path))
    renamed = _rename_columns(header, ("user", "item", *numbers), columns, path)
    types = {name: _TYPES.get(ours, pa.float64()) for name, ours in renamed.items()}
    advice = "numbers with a point, one row a line"
    batches = list(stream_columns(lambda: _open(path), str(path), types, advice))
    schema = pa.schema(list(types.items()))
    return pa.Table.from_batches(batches, schema).rename_columns([renamed[name] for name in types])


def read_parquet(path: Path, columns: tuple[str, ...], numbers: tuple[str, ...]) -> pa.Table:
    """Read a Parquet file."""
    renamed = _rename_columns(pq.read_schema(path).names, ("user", "item", *numbers), columns, path)
    table = pq.read_table(path, columns=list(renamed))
    return table.rename_columns([renamed[name] for name in table.column_names])


def _rename_columns(header: list[str], read: tuple[str, ...], columns: tuple[str, ...], path: Path) -> dict[str, str]:
    """The file's name → our name, for the columns to read.

    Args:
        header: The columns of the file.
        read: Our names of the columns to read, where the file has them.
        columns: Our names of all columns of such a file.
        path: The file.
    """
    names = NAMES
    if columns == LISTS and tuple(header) == WARPREC[: len(header)]:
        names = NAMES | {"score": ("rating",)}  # as WarpRec calls it
    renamed = {name: ours for ours in read for name in header if name in names[ours]}
    missing = [ours for ours in ("user", "item") if ours not in renamed.values()]
    if missing:
        raise UserError(
            f"{path}: has no column {' and '.join(missing)}; found {', '.join(header) or 'nothing'}. Expected "
            f"{', '.join(columns[:3])} (user_id, item_id, userId and itemId are understood)"
        )
    if len(set(renamed.values())) < len(renamed):
        raise UserError(
            f"{path}: the columns {', '.join(renamed)} hold the same thing twice; keep one user and one item"
        )
    other = [name for name in header if name not in renamed and name not in NAMES["timestamp"]]
    if columns == LISTS and other and not {"score", "rank"} & set(renamed.values()):
        raise UserError(
            f"{path}: has no column score or rank; found {', '.join(header)}. Rename the column to rank by to `score`, "
            "or leave only user and item where rows are best first already"
        )
    return renamed


def _open(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return open(path, "rb")


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row names columns: one of its words is known, or it is the only row without numbers.

    Ids may hold such words beside digits (`customer42`, `item-7`), or in other rows too (`user_anna`).
    """
    whole = [row for row in rows if len(row) > 1]
    first, *others = [row[:2] for row in whole]
    columns = [[row[place] for row in others] for place in range(2)]
    if any(re.sub(r"[_\-\s]", "", cell.partition(":")[0].lower()) in HEADER_WORDS for cell in first) or (
        not any(map(_has_digit, first)) and any(map(_has_known_word, first, columns))
    ):
        return not any(map(_is_number, whole[0][2:3]))  # a rating: the words are ids
    return bool(others) and not any(map(_is_number, first)) and all(map(_is_number, chain(*others)))


def _has_known_word(cell: str, others: Sequence[str]) -> bool:
    """Tell whether a cell has a word of a column's name, which no id of words below it has."""
    words = _split(cell.partition(":")[0])
    ids = [set(_split(other)) for other in others if not _has_digit(other)] if HEADER_WORDS.intersection(words) else []
    return len(words) <= MOST_WORDS and any(
        word in HEADER_WORDS and not any(word in id_ for id_ in ids) for word in words
    )


def _split(name: str) -> list[str]:
    """Split a name into words in lower case: `buyerName`, `buyer_name` and `Buyer-Name` are `buyer` and `name`."""
    return re.sub(r"(?<=[^\W\d_])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])|[\W_]+", " ", name).lower().split()


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\s*|[+-]?(nan|inf|(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)", text.strip(), re.IGNORECASE))
