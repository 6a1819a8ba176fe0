"""python -m catalogue.prepare: a raw catalogue checked, filtered, split and packed into data/prepared/."""

from collections.abc import Iterable, Iterator
from functools import reduce
from importlib import import_module
from operator import getitem
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import StringConstraints

from catalogue.preparation.splits import grouped_split, groups, leakage, random_split
from catalogue.prepared.images import pack_images
from catalogue.readers import Raw, reader_of
from catalogue.readers.settings import DATASET_NAME, CataloguePrepare
from pipeline.checkpoints import checkpoint_folder, key_folder
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder, write_json, write_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run

RAW = Path("data/raw")
PREPARED = Path("data/prepared")
METRICS = Path("metrics/catalogue.json")
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
        ("attributes", pa.list_(pa.string())),  # those that come with the data; else null
    ]
)
PURCHASE_SCHEMA = pa.schema([("user_id", pa.string()), ("item_id", pa.string()), ("day", pa.int32())])
PURCHASE_FIGURES = (
    *("purchases_read", "purchases", "purchases_of_unknown_articles"),
    *("purchases_in_all", "purchases_in_original"),
)
CODE = [Path(__file__).parent / "prepared" / "images.py"]
STUDY_MIN_ITEMS_PER_TYPE = 7
ROWS_AT_ONCE = 1_000_000  # purchases held and written at once
ID_BYTES = 128_000_000  # of different ids in so many: each is written once


class Params(Section):
    dataset: Annotated[str, StringConstraints(pattern=DATASET_NAME)]
    catalogue_prepare: CataloguePrepare


def main() -> None:
    params = read(Params)
    prepare = params.catalogue_prepare
    raw = import_module(f"catalogue.readers.{reader_of(params.dataset)}").open_raw(RAW / params.dataset, prepare)
    items, counts = filtered(raw, prepare)
    items, splits = split_items(items, prepare, raw.folder)
    known = prepare.min_items_per_type == STUDY_MIN_ITEMS_PER_TYPE
    if known:
        check_full(raw.folder, counts | splits, raw.full_counts)
    with checkpoint_folder(_work_folder(raw, items, prepare)) as work, new_folder(PREPARED) as folder:
        write_parquet(folder / "items.parquet", _table(items))
        write_parquet(folder / "truth.parquet", _truth(raw, items, prepare))
        (folder / "images").mkdir()
        names = {item: raw.image_names[item] for item in items["item_id"]}
        pack_images(folder / "images", names, raw.image, prepare.image_size, work)
        purchases = _write_purchases(folder / "purchases.parquet", raw, items)
        if known and purchases["purchases_read"] == raw.full_purchases.get("purchases_read"):
            check_full(raw.folder, purchases, raw.full_purchases)
    counts |= splits | purchases
    write_json(METRICS, counts)
    print_summary(_said(counts, raw))


def _table(items: pd.DataFrame) -> pa.Table:
    columns = items.reindex(columns=ITEM_SCHEMA.names)
    columns["attributes"] = columns["attributes"].astype(object).where(columns["attributes"].notna(), None)
    return pa.Table.from_pandas(columns, ITEM_SCHEMA, preserve_index=False).replace_schema_metadata(None)


def _said(counts: dict[str, Any], raw: Raw) -> str:
    """The stage's last line."""
    chosen, own, part = counts["split"], "", ""
    if "attributes" in counts:
        own = f", {counts['attributes']} attributes of their own"
    if raw.full_purchases and counts["purchases_read"] != raw.full_purchases["purchases_read"]:
        part = f"; a part: the full data has {raw.full_purchases['purchases_read']:,}"
    return (
        f"wrote {PREPARED}: {counts['catalogue_all']} items, {counts['catalogue_original']} of them in the original catalogue "
        f"({counts['fashion_types']} categories{own}; train {chosen['train']}, validation {chosen['validation']}, test {chosen['test']}; "
        f"{chosen['leaked_product_code']} test items share a product code and {chosen['leaked_description']} a description with train), "
        f"{counts['purchases']} purchases of {counts['users']} users ({counts['purchases_of_unknown_articles']} of unknown articles left out{part})"
    )


def _work_folder(raw: Raw, items: pd.DataFrame, params: CataloguePrepare) -> Path:
    """Where packed images wait for the rest; its key changes with the images, their order and their size."""
    wanted = [(item, raw.stamps.get(item)) for item in items["item_id"]]
    return key_folder("catalogue_prepare", [params.image_size, wanted], CODE, ["pillow", "pyarrow"])


def filtered(raw: Raw, params: CataloguePrepare) -> tuple[pd.DataFrame, dict[str, int]]:
    """Every article with an image, sorted by id, with `original`; and how many articles each filter left, in its order."""
    articles = raw.articles.sort_values("item_id", ignore_index=True)
    if params.lower_case:
        articles["description"] = articles["description"].str.lower()
    counts = {"articles": len(articles)}
    left = articles["description"].notna()
    counts["with_description"] = int(left.sum())
    has_image = articles["item_id"].isin(raw.image_names)
    left &= has_image
    counts["with_image"] = int(left.sum())
    left &= (
        articles["category"].map(articles.loc[left, "category"].value_counts()).fillna(0) >= params.min_items_per_type
    )
    counts |= {"frequent_type": int(left.sum()), "frequent_types": articles.loc[left, "category"].nunique()}
    left &= (
        articles["category"].map({name: raw.is_fashion(name) for name in articles["category"].unique()}).astype(bool)
    )
    counts |= {"fashion": int(left.sum()), "fashion_types": articles.loc[left, "category"].nunique()}
    items = articles.assign(original=left)[has_image].reset_index(drop=True)
    if not left.any():
        raise UserError(
            f"{raw.folder}: no article passes the filters ({counts}); see min_items_per_type in params.yaml, descriptions and images"
        )
    counts |= {"catalogue_original": int(left.sum()), "catalogue_all": len(items)}
    counts["without_description"] = int(items["description"].isna().sum())
    if "attributes" in items:
        counts["attributes"] = items.loc[items["original"], "attributes"].explode().nunique()
    if raw.unverified:
        counts["unverified_test_captions"] = raw.unverified
    return items, counts


def check_full(folder: Path, figures: dict[str, Any], expected: dict[str, int]) -> None:
    """Raises UserError where data that is known in full has other counts; `a.b` in `expected` is `figures["a"]["b"]`."""
    found = {name: reduce(getitem, name.split("."), figures) for name in expected}
    wrong = [
        f"{name}: {found[name]:,} instead of {number:,}" for name, number in expected.items() if found[name] != number
    ]
    if wrong:
        raise UserError(
            f"{folder}: this is the full data set, but the filters leave {'; '.join(wrong)}; is a file incomplete? Fetch it again"
        )


def split_items(items: pd.DataFrame, params: CataloguePrepare, folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The items with `group` and `split`; and sizes and leakage of the chosen split and of every other policy.

    Args:
        folder: where the raw data is, for messages.

    Raises:
        UserError: fewer than ten items, or the data comes without the split that is asked for.
    """
    group = groups(items["product_code"], items["description"])
    original = items["original"].to_numpy()
    if original.sum() < 10:
        raise UserError(
            f"{folder}: only {original.sum()} articles pass the filters; at least 10 are needed for train, validation and test"
        )
    sides = {
        "grouped": grouped_split(group[original], params.seed),
        "random": random_split(int(original.sum()), params.seed),
    }
    if "split" in items:
        sides["published"] = items.loc[original, "split"].to_numpy(dtype=object)
    if params.split not in sides:
        raise UserError(
            f"catalogue_prepare.split: {params.split}, but the data in {folder} comes without a split; allowed: {', '.join(sides)}"
        )
    split = np.full(len(items), None, dtype=object)
    split[original] = sides[params.split]
    described = {policy: _sizes(side) | leakage(items[original], side) for policy, side in sides.items()}
    sizes = np.bincount(group)
    figures = {
        "groups": len(sizes),
        "largest_group": int(sizes.max()),
        "split": described[params.split],
        "split_by_policy": described,
    }
    return items.assign(group=group, split=split), figures


def _truth(raw: Raw, items: pd.DataFrame, params: CataloguePrepare) -> pd.DataFrame:
    """The truth of the items, its second description in the same case as the first."""
    truth = raw.truth[raw.truth["item_id"].isin(items["item_id"])].sort_values("item_id", ignore_index=True)
    if params.lower_case and "second_description" in truth:
        truth["second_description"] = truth["second_description"].str.lower()
    return truth


def _sizes(side: np.ndarray) -> dict[str, int]:
    return {name: int((side == name).sum()) for name in ("train", "validation", "test")}


def _write_purchases(path: Path, raw: Raw, items: pd.DataFrame) -> dict[str, int]:
    """Writes the purchases of known articles batch by batch, in file order; how many, of whom, and how many were left out."""
    known = pa.array(raw.articles["item_id"], pa.string())
    in_all = pa.array(items["item_id"], pa.string())
    in_original = pa.array(items.loc[items["original"], "item_id"], pa.string())
    figures = dict.fromkeys(PURCHASE_FIGURES, 0)
    users = pa.array([], pa.string())
    with pq.ParquetWriter(path, PURCHASE_SCHEMA, compression="zstd", dictionary_pagesize_limit=ID_BYTES) as writer:
        for batch in _in_tables(raw.purchases()):
            kept = batch.filter(pc.is_in(batch["item_id"], known))
            writer.write_table(kept, row_group_size=ROWS_AT_ONCE)
            users = pc.unique(pa.chunked_array([users, pc.unique(kept["user_id"])]))
            figures["purchases_read"] += len(batch)
            figures["purchases"] += len(kept)
            figures["purchases_of_unknown_articles"] += len(batch) - len(kept)
            figures["purchases_in_all"] += pc.sum(pc.is_in(kept["item_id"], in_all)).as_py() or 0
            figures["purchases_in_original"] += pc.sum(pc.is_in(kept["item_id"], in_original)).as_py() or 0
    return figures | {"users": len(users)}


def _in_tables(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows, `ROWS_AT_ONCE` or a few more at a time."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= ROWS_AT_ONCE:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


if __name__ == "__main__":
    run(main)
