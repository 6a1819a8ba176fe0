"""Writes the purchases of known articles, batch by batch."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogue.readers import Raw
from pipeline.cells.missing import find_nobody
from pipeline.core.errors import UserError, first_five

SCHEMA = pa.schema([("user_id", pa.string()), ("item_id", pa.string()), ("day", pa.int32())])
COUNTS = (
    "purchases_read",
    "purchases",
    "purchases_of_unknown_articles",
    "purchases_in_all",
    "purchases_in_original",
)
ROWS_AT_ONCE = 1_000_000  # purchases in memory, and in a row group
DICTIONARY_BYTES = 128_000_000  # of different ids in a column, below which each is written once


def write_purchases(path: Path, raw: Raw, items: pd.DataFrame) -> dict[str, int]:
    """Write the purchases of known articles in file order.

    Args:
        path: The file to write.
        raw: The catalogue; an article is known if it is in `raw.articles`.
        items: item_id of every item with an image, and `original`: whether it passed the filters.

    Returns:
        How many purchases there are, how many were left out, and the number of users. `purchases_without_user` is there
        where there are some: they are no user's, and left out.

    Raises:
        UserError: there are purchases, but none of a known user and article, or none of one in the original catalogue.
    """
    known = pa.array(raw.articles["item_id"], pa.string())
    in_all = pa.array(items["item_id"], pa.string())
    in_original = pa.array(items.loc[items["original"], "item_id"], pa.string())
    counts = dict.fromkeys(COUNTS, 0)
    users, without_user = pa.array([], pa.string()), 0
    first: list[str] = []
    with pq.ParquetWriter(path, SCHEMA, compression="zstd", dictionary_pagesize_limit=DICTIONARY_BYTES) as writer:
        for batch in gather_batches(raw.read_purchases()):
            nobody = find_nobody(batch["user_id"])
            of_users = batch.filter(pc.invert(nobody))
            purchases = of_users.filter(pc.is_in(of_users["item_id"], known))
            first = first or batch["item_id"][:5].to_pylist()
            writer.write_table(purchases, row_group_size=ROWS_AT_ONCE)
            users = pc.unique(pa.chunked_array([users, pc.unique(purchases["user_id"])]))
            counts["purchases_read"] += len(batch)
            counts["purchases"] += len(purchases)
            counts["purchases_of_unknown_articles"] += len(of_users) - len(purchases)
            without_user += len(batch) - len(of_users)
            counts["purchases_in_all"] += pc.sum(pc.is_in(purchases["item_id"], in_all)).as_py() or 0
            counts["purchases_in_original"] += pc.sum(pc.is_in(purchases["item_id"], in_original)).as_py() or 0
    if counts["purchases_read"] and not counts["purchases"]:
        raise UserError(
            f"{raw.folder}: none of the {counts['purchases_read']:,} purchases is of a known user and article "
            f"({without_user:,} have no user, {counts['purchases_of_unknown_articles']:,} are of unknown articles): "
            f"purchases of {first_five(first)}, articles {first_five(known[:6].to_pylist())}; write the ids alike in "
            "both files, or leave out the purchases"
        )
    if counts["purchases"] and not counts["purchases_in_original"]:
        raise UserError(
            f"{raw.folder}: none of the {counts['purchases']:,} purchases of known users and articles is of an article "
            "with description and picture; do purchases name variants, and descriptions their product? Name the column "
            "of the product's id in both files, or leave out the purchases"
        )
    left_out = {"purchases_without_user": without_user} if without_user else {}
    return counts | left_out | {"users": len(users)}


def find_first_sales(raw: Raw) -> pd.Series:
    """Find the day on which the first article of each product was bought, by whomever, also one without a picture.

    Returns:
        Days since 1970-01-01 by product_code, float64; NaN where no article was bought, (n_products,).
    """
    by_batch = [batch.group_by("item_id").aggregate([("day", "min")]) for batch in gather_batches(raw.read_purchases())]
    day = pd.Series(np.nan, index=raw.articles["item_id"])
    if by_batch:
        first = pa.concat_tables(by_batch).group_by("item_id").aggregate([("day_min", "min")]).to_pandas()
        day.update(first.set_index("item_id")["day_min_min"].astype(float))
    return day.groupby(raw.articles["product_code"].to_numpy(), sort=False).min()


def gather_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield the same rows in tables of at least `ROWS_AT_ONCE` rows; the last may be shorter."""
    pending: list[pa.RecordBatch] = []
    for batch in batches:
        pending.append(batch)
        if sum(map(len, pending)) >= ROWS_AT_ONCE:
            yield pa.Table.from_batches(pending)
            pending = []
    if pending:
        yield pa.Table.from_batches(pending)
