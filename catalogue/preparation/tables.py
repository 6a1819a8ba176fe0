"""The tables of items and of their truth, as data/prepared holds them."""

import pandas as pd
import pyarrow as pa

from catalogue.readers import Raw
from catalogue.readers.settings import CataloguePrepare

ITEM_SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("product_code", pa.string()),
        ("description", pa.string()),
        ("category", pa.string()),
        ("colour", pa.string()),
        ("original", pa.bool_()),
        ("split", pa.string()),
        ("group", pa.int64()),
        ("attributes", pa.list_(pa.string())),  # null where the data comes without attributes
    ]
)


def build_items(items: pd.DataFrame) -> pa.Table:
    """Build the table of items; a column that the data lacks is null."""
    columns = items.reindex(columns=ITEM_SCHEMA.names)
    columns["attributes"] = columns["attributes"].astype(object).where(columns["attributes"].notna(), None)
    return pa.Table.from_pandas(columns, ITEM_SCHEMA, preserve_index=False).replace_schema_metadata(None)


def build_truth(raw: Raw, items: pd.DataFrame, params: CataloguePrepare) -> pd.DataFrame:
    """Build the truth of the items, sorted by id, with the second description in the same case as the first."""
    truth = raw.truth[raw.truth["item_id"].isin(items["item_id"])].sort_values("item_id", ignore_index=True)
    if params.lower_case and "second_description" in truth:
        truth["second_description"] = truth["second_description"].str.lower()
    return truth
