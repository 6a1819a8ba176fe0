"""python -m recsys.interactions: one per-user split by time of every purchase of an article with an image.

Writes `data/interactions/`: `users.parquet` (`user`, `user_id`), `items.parquet` (`item`, `item_id`, `original`; every
article with an image, also those never bought); `train.parquet`, `test.parquet` and `validation.parquet` (`user`, `item`,
`day`; a row per purchase, by user, day and file order); `counts.json`: users, purchases, who and what is cold.

What happens to the purchases, in this order:

1. those of articles without an image are left out;
2. `sampling: 10M | 2M`: users are drawn at random (`sampling_seed`), each with all purchases, as long as these add up
   to no more. `sampling_study: true` first keeps of a user's purchases of one day only the first in the file: the
   study's samples lost the others. (How the study drew is not published: same sizes and the same loss, not the same users);
3. `repeats: drop`: of an article bought again by the same user only the first purchase is kept;
4. the split. `per_user`: of a user's n purchases, by day and on the same day by file order, the first
   ⌊(1 − test_share) n⌋ are train, at least one, the rest test. `date`: test is what was bought on the last `test_days`
   days of the data. Users with fewer than `min_purchases` go by `few_purchases`: `train`: entirely in train; `drop`: left
   out; `study`: entirely in test, as the study's users with one purchase were (⌊0.8 · 1⌋ = 0), to whom nothing
   can be recommended;
5. validation: the last `validation_purchases` of each user's train purchases, never the only one. They are in train too:
   a final fit is on all of train, and what needs to know when to stop learns from train without them.

`evaluation: common`: catalogues are restrictions of this one split (`recsys.purchases.dataset`), so no purchase changes sides between
them. `published`: besides, steps 3 to 5 are done for each catalogue on the purchases of its own articles, as the study
did; these splits are in `published/<catalogue>/`, and take the place of the one in common wherever lists are made and scored.

A study without purchases has `catalogues: []` and `texts: []`, and empty files here.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from catalogue.prepared.items import read_items
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder, write_json, write_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from recsys.purchases import splits
from recsys.purchases.dataset import CATALOGUES, PUBLISHED, Catalogue
from recsys.purchases.splits import FewPurchases, Purchases

PURCHASES = Path("data/prepared/purchases.parquet")
ITEMS = Path("data/prepared/items.parquet")
FOLDER = Path("data/interactions")
SAMPLES = {"10M": 10_000_000, "2M": 2_000_000}


class RecInteractions(Section):
    evaluation: Literal["common", "published"]
    split: Literal["per_user", "date"]
    test_share: Annotated[float, Field(gt=0, lt=1)]
    test_days: Annotated[int, Field(ge=1)]
    validation_purchases: Annotated[int, Field(ge=0)]
    min_purchases: Annotated[int, Field(ge=1)]
    few_purchases: FewPurchases
    repeats: Literal["keep", "drop"]
    sampling: Literal["full", "10M", "2M"]
    sampling_seed: Annotated[int, Field(ge=0)]
    sampling_study: bool

    @model_validator(mode="after")
    def _study_samples(self) -> "RecInteractions":
        if self.sampling_study and self.sampling == "full":
            raise ValueError("sampling_study: true needs sampling 10M or 2M: it says how a sample is drawn")
        return self


class Params(Section):
    catalogues: list[str]
    texts: list[str]
    rec_interactions: RecInteractions


def number_items(path: Path = ITEMS) -> pl.DataFrame:
    """Number the items by their sorted ids: columns `item`, `item_id`, `original`.

    Raises:
        UserError: an id comes twice.
    """
    items = pl.from_pandas(read_items(path, ["item_id", "original"]))
    twice = items.filter(pl.col("item_id").is_duplicated())["item_id"]
    if len(twice):
        raise UserError(f"{path}: {twice.n_unique()} item ids come more than once, first {twice[0]}; prepare again")
    return items.select(pl.int_range(pl.len(), dtype=pl.Int32).alias("item"), "item_id", "original")


def read_purchases(items: pl.DataFrame, path: Path = PURCHASES) -> tuple[Purchases, np.ndarray, int]:
    """Purchases of these items with users numbered by their sorted ids, those ids, and how many purchases there were.

    In one pass, of which numbers are kept: a user's text is held once, however much the user buys.

    Raises:
        UserError: there are purchases, but none of an article with an image.
    """
    numbered = pl.Enum(items["item_id"])  # what is none of these becomes null
    everything = pl.scan_parquet(path).select(
        pl.col("user_id").cast(pl.Categorical(pl.Categories.random())),
        pl.col("item_id").cast(numbered, strict=False).to_physical().cast(pl.Int32).alias("item"),
        pl.col("day").cast(pl.Int32),
    )
    table = everything.filter(pl.col("item").is_not_null()).collect(engine="streaming")
    n_all = pq.read_metadata(path).num_rows
    if table.is_empty() and n_all:
        found, wanted = pl.read_parquet(path, n_rows=5)["item_id"].to_list(), items.head(5)["item_id"].to_list()
        raise UserError(
            f"{path}: none of {n_all:,} purchases is of an article of {ITEMS}: {', '.join(found)} … there, {', '.join(wanted)} … here; "
            "article ids must be strings of ten digits in both"
        )
    user, user_ids = _by_id(table["user_id"])
    return Purchases(user, table["item"].to_numpy(), table["day"].to_numpy()), user_ids, n_all


def _by_id(column: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The place of each row's id among the sorted ids, (n_rows,) int32, and those ids."""
    different = column.unique()
    names = different.cast(pl.String)
    order = names.arg_sort()
    code = different.to_physical().to_numpy()
    place = np.zeros(int(code.max(initial=0)) + 1, dtype=np.int32)
    place[code[order.to_numpy()]] = np.arange(len(code), dtype=np.int32)
    return place[column.to_physical().to_numpy()], names.gather(order).to_numpy()


def drawn(purchases: Purchases, user_ids: np.ndarray, params: RecInteractions) -> tuple[Purchases, np.ndarray]:
    """The sample, its users numbered anew, and their ids."""
    if params.sampling == "full":
        return purchases, user_ids
    if params.sampling_study:
        purchases = purchases.where(splits.first_of_day(purchases))
    sample = purchases.where(splits.sampled(purchases, SAMPLES[params.sampling], params.sampling_seed))
    users, user = np.unique(sample.user, return_inverse=True)
    return Purchases(user.astype(np.int32), sample.item, sample.day), user_ids[users]


def divided(purchases: Purchases, params: RecInteractions) -> dict[str, Purchases]:
    """Train, test and validation, each by user, day and file order."""
    if params.repeats == "drop":
        purchases = purchases.where(splits.first_of_item(purchases))
    if params.few_purchases == "drop":
        purchases = purchases.where(~splits.has_few(purchases, params.min_purchases))
    purchases = purchases.where(splits.by_user(purchases))
    if params.split == "date":
        test = splits.test_by_date(purchases, params.test_days, params.min_purchases, params.few_purchases)
    else:
        test = splits.test_by_user(purchases, params.test_share, params.min_purchases, params.few_purchases)
    train = purchases.where(~test)
    late = splits.validation(train, params.validation_purchases)
    return {"train": train, "test": purchases.where(test), "validation": train.where(late)}


def counted(parts: dict[str, Purchases], n_users: int, n_items: int) -> dict[str, int]:
    """Purchases, users and items of a split, and the cold: in test, but not in train."""
    train, test = parts["train"], parts["test"]
    has_train, has_test = np.bincount(train.user, minlength=n_users) > 0, np.bincount(test.user, minlength=n_users) > 0
    known, wanted = np.bincount(train.item, minlength=n_items) > 0, np.bincount(test.item, minlength=n_items) > 0
    purchases = {f"{name}_purchases": len(part) for name, part in parts.items()}
    return purchases | {
        "train_users": int(has_train.sum()),
        "test_users": int(has_test.sum()),
        "cold_users": int((has_test & ~has_train).sum()),
        "test_purchases_of_cold_users": int((~has_train)[test.user].sum()),
        "train_items": int(known.sum()),
        "test_items": int(wanted.sum()),
        "cold_items": int((wanted & ~known).sum()),
        "test_purchases_of_cold_items": int((~known)[test.item].sum()),
    }


def write(
    folder: Path, items: pl.DataFrame, user_ids: np.ndarray, purchases: Purchases, params: RecInteractions
) -> dict[str, Any]:
    """The files of `data/interactions/`; what was counted.

    Raises:
        UserError: nothing is left for train or for test.
    """
    original = items["original"].to_numpy()
    users = pl.DataFrame(
        {"user": np.arange(len(user_ids), dtype=np.int32), "user_id": pl.Series(user_ids, dtype=pl.String)}
    )
    parts = divided(purchases, params)
    _refuse_empty(parts, purchases, params)
    counts: dict[str, Any] = {"evaluation": params.evaluation, "users": len(user_ids)}
    with new_folder(folder) as partial:
        write_parquet(partial / "users.parquet", users.to_arrow(compat_level=pl.CompatLevel.oldest()))
        write_parquet(partial / "items.parquet", items.to_arrow(compat_level=pl.CompatLevel.oldest()))
        _write_parts(partial, parts)
        for catalogue in CATALOGUES:
            members = original if catalogue == "original" else np.ones_like(original)
            own = {name: part.where(members[part.item]) for name, part in parts.items()}
            if params.evaluation == "published":
                there = purchases.where(members[purchases.item])
                own = divided(there, params)
                _refuse_empty(own, there, params)
                _write_parts(partial / PUBLISHED / catalogue, own)
            counts[catalogue] = counted(own, len(user_ids), len(items))
        write_json(partial / "counts.json", counts)
    return counts


def _refuse_empty(parts: dict[str, Purchases], purchases: Purchases, params: RecInteractions) -> None:
    for name in ("train", "test"):
        if len(purchases) and not len(parts[name]):
            raise UserError(
                f"rec_interactions: no purchase is left for {name}; with split {params.split}, test_share {params.test_share}, "
                f"test_days {params.test_days} and few_purchases {params.few_purchases} (min_purchases {params.min_purchases}) "
                "every one is on the other side or left out; change them in params.yaml"
            )


def _write_parts(folder: Path, parts: dict[str, Purchases]) -> None:
    for name, part in parts.items():
        write_parquet(folder / f"{name}.parquet", pa.table({"user": part.user, "item": part.item, "day": part.day}))


def summary(counts: dict[str, Any], params: RecInteractions) -> str:
    """What the last line says of each catalogue."""

    def of(catalogue: Catalogue) -> str:
        own = counts[catalogue]
        return (
            f"{catalogue}: {own['train_purchases']:,} train and {own['test_purchases']:,} test purchases, cold in test: "
            f"{own['cold_users']:,} users, {own['cold_items']:,} items"
        )

    rule = {"train": "entirely in train", "drop": "left out", "study": "entirely in test"}[params.few_purchases]
    whole = "; ".join(of(catalogue) for catalogue in CATALOGUES)
    return f"{counts['users']:,} users, those with fewer than {params.min_purchases} purchases {rule}; {whole}"


def main() -> None:
    root = read(Params)
    params = root.rec_interactions
    items = number_items()
    everything, user_ids, n_all = read_purchases(items)
    if not n_all and (root.catalogues or root.texts):
        raise UserError(
            f"{PURCHASES} holds no purchases, so there is nothing to recommend from; "
            "set `catalogues: []` and `texts: []` in params.yaml for a study of captions alone"
        )
    purchases, user_ids = drawn(everything, user_ids, params)
    counts = write(FOLDER, items, user_ids, purchases, params)
    left_out = n_all - len(everything)
    print_summary(
        f"wrote {FOLDER}/: {summary(counts, params)}; {left_out:,} purchases of articles without an image left out"
    )


if __name__ == "__main__":
    run(main)
