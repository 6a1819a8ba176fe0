"""python -m catalogue.prepare: a raw catalogue checked, filtered, split and packed into data/prepared/."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field

from catalogue.images import pack_images
from catalogue.readers import READERS, Raw
from catalogue.splits import grouped_split, groups, leakage, random_split
from pipeline.errors import UserError
from pipeline.outputs import new_folder, write_json, write_parquet
from pipeline.params import Section, read
from pipeline.stage import done, run

RAW = Path("data/raw")
PREPARED = Path("data/prepared")
METRICS = Path("metrics/catalogue.json")
ITEM_COLUMNS = ["item_id", "product_code", "description", "category", "colour", "original", "split", "group"]
ITEM_SCHEMA = pa.schema(
    [(name, {"original": pa.bool_(), "group": pa.int64()}.get(name, pa.string())) for name in ITEM_COLUMNS]
)
PURCHASE_SCHEMA = pa.schema([("user_id", pa.string()), ("item_id", pa.string()), ("day", pa.int32())])
STUDY_MIN_ITEMS_PER_TYPE = 7


class CataloguePrepare(Section):
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    split: Literal["grouped", "random"]
    min_items_per_type: Annotated[int, Field(ge=1)]
    image_size: Annotated[int, Field(ge=16, le=4096)]
    lower_case: bool


class Params(Section):
    dataset: Literal["sample", "hm"]
    catalogue_prepare: CataloguePrepare


def main() -> None:
    params = read(Params)
    prepare = params.catalogue_prepare
    raw = import_module(f"catalogue.readers.{READERS[params.dataset]}").open_raw(RAW / params.dataset)
    items, counts = filtered(raw, prepare)
    if raw.full_counts and prepare.min_items_per_type == STUDY_MIN_ITEMS_PER_TYPE:
        _check_full(raw.folder, counts, raw.full_counts)
    items, splits = _split(items, prepare)
    with new_folder(PREPARED) as folder:
        write_parquet(
            folder / "items.parquet",
            pa.Table.from_pandas(items[ITEM_COLUMNS], ITEM_SCHEMA, preserve_index=False).replace_schema_metadata(None),
        )
        write_parquet(folder / "truth.parquet", _truth(raw, items, prepare))
        (folder / "images").mkdir()
        pack_images(
            folder / "images", {item: raw.image_names[item] for item in items["item_id"]}, raw.image, prepare.image_size
        )
        purchases = _write_purchases(folder / "purchases.parquet", raw, items)
    write_json(METRICS, counts | splits | purchases)
    chosen = splits["split"]
    done(
        f"wrote {PREPARED}: {counts['catalogue_all']} items, {counts['catalogue_original']} of them in the original catalogue "
        f"(train {chosen['train']}, validation {chosen['validation']}, test {chosen['test']}; {chosen['leaked_product_code']} test items share a "
        f"product code and {chosen['leaked_description']} a description with train), {purchases['purchases']} purchases of {purchases['users']} users "
        f"({purchases['purchases_of_unknown_articles']} of unknown articles left out)"
    )


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
    without = int(items["description"].isna().sum())
    return items, counts | {
        "catalogue_original": int(left.sum()),
        "catalogue_all": len(items),
        "without_description": without,
    }


def _check_full(folder: Path, counts: dict[str, int], full_counts: dict[str, int]) -> None:
    wrong = [
        f"{name}: {counts[name]:,} instead of {expected:,}"
        for name, expected in full_counts.items()
        if counts[name] != expected
    ]
    if wrong:
        raise UserError(
            f"{folder}: this is the full data set, but the filters leave {'; '.join(wrong)}; is a file incomplete? Fetch it again"
        )


def _split(items: pd.DataFrame, params: CataloguePrepare) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The items with `group` and `split`; and sizes and leakage of the chosen split and of either policy."""
    group = groups(items["product_code"], items["description"])
    original = items["original"].to_numpy()
    if original.sum() < 10:
        raise UserError(
            f"only {original.sum()} articles pass the filters; at least 10 are needed for train, validation and test"
        )
    sides = {
        "grouped": grouped_split(group[original], params.seed),
        "random": random_split(int(original.sum()), params.seed),
    }
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
    figures = dict.fromkeys(
        ("purchases", "purchases_of_unknown_articles", "purchases_in_all", "purchases_in_original"), 0
    )
    users: set[str] = set()
    with pq.ParquetWriter(path, PURCHASE_SCHEMA, compression="zstd") as writer:
        for batch in raw.purchases():
            kept = batch.filter(pc.is_in(batch["item_id"], known))
            writer.write_batch(kept)
            users.update(pc.unique(kept["user_id"]).to_pylist())
            figures["purchases"] += len(kept)
            figures["purchases_of_unknown_articles"] += len(batch) - len(kept)
            figures["purchases_in_all"] += pc.sum(pc.is_in(kept["item_id"], in_all)).as_py() or 0
            figures["purchases_in_original"] += pc.sum(pc.is_in(kept["item_id"], in_original)).as_py() or 0
    return figures | {"users": len(users)}


if __name__ == "__main__":
    run(main)
