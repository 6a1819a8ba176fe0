"""python -m recsys.interactions: one per-user split by time of every purchase of an article with an image.

Writes `data/interactions/`: `users.parquet` (`user`, `user_id`), `items.parquet` (`item`, `item_id`, `original`; every
article with an image, also those never bought), `train.parquet` and `test.parquet` (`user`, `item`, `day`; a row per
purchase, by user, day and file order).

The split: of a user's n purchases, by day and on the same day by file order, the first ⌊(1 − test_share) n⌋ are train, at
least one; the rest are test. A user with fewer than `min_purchases` stays entirely in train: entirely in test (as in the
study, whose ⌊0.8 · 1⌋ was 0) nothing could be recommended to them. Every purchase is a row: several articles on one
day, and one article bought again, are kept. Catalogues are restrictions of this one split (`recsys.dataset`), so no
purchase changes sides between them.

A study without purchases has `catalogues: []` and `texts: []`, and empty files here.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.errors import UserError
from pipeline.outputs import new_folder, write_parquet
from pipeline.params import Section, read
from pipeline.stage import done, run

PURCHASES = Path("data/prepared/purchases.parquet")
ITEMS = Path("data/prepared/items.parquet")
FOLDER = Path("data/interactions")


class RecInteractions(Section):
    test_share: Annotated[float, Field(gt=0, lt=1)]
    min_purchases: Annotated[int, Field(ge=2)]


class Params(Section):
    catalogues: list[str]
    texts: list[str]
    rec_interactions: RecInteractions


def is_test(user: np.ndarray, day: np.ndarray, test_share: float, min_purchases: int) -> np.ndarray:
    """Which purchases are test: (n_purchases,) bool.

    Args:
        user: (n_purchases,) index of the buyer, in file order.
        day: (n_purchases,) days since 1970-01-01.
        test_share: the share of each user's latest purchases that is test; train holds ⌊(1 − test_share) n⌋, at least 1.
        min_purchases: a user with fewer has no test purchase.
    """
    order = np.lexsort((day, user))  # stable: the same user and day keep file order
    counts = np.bincount(user)
    starts = np.cumsum(counts) - counts
    place = np.arange(len(user)) - starts[user[order]]
    kept = np.maximum(np.floor((1 - test_share) * counts + 1e-9), 1)  # 1e-9: (1 − 0.7) · 10 is below 3 in binary
    kept = np.where(counts < min_purchases, counts, kept)
    test = np.empty(len(user), dtype=bool)
    test[order] = place >= kept[user[order]]
    return test


def with_image(purchases: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """The purchases of these items, with `item` (row of `items`) and `user` (place among the sorted user ids) as int32.

    Raises:
        UserError: there are purchases, but none of an article with an image.
    """
    place = pd.Index(items["item_id"]).get_indexer(purchases["item_id"])
    kept = purchases[place >= 0]
    if kept.empty and len(purchases):
        raise UserError(
            f"{PURCHASES}: none of {len(purchases)} purchases is of an article of {ITEMS}, first {purchases['item_id'].iloc[0]}; "
            "article ids must be strings of ten digits in both"
        )
    user, _ = pd.factorize(kept["user_id"], sort=True)
    return kept.assign(item=place[place >= 0].astype(np.int32), user=user.astype(np.int32))


def write(folder: Path, items: pd.DataFrame, purchases: pd.DataFrame, test: np.ndarray) -> None:
    """The four files of `data/interactions/`; `purchases` as `with_image` returns them."""
    users = purchases[["user", "user_id"]].drop_duplicates("user").sort_values("user")
    rows = pd.DataFrame(
        {"item": np.arange(len(items), dtype=np.int32), "item_id": items["item_id"], "original": items["original"]}
    )
    columns = ["user", "item", "day"]
    with new_folder(folder) as partial:
        write_parquet(partial / "users.parquet", users)
        write_parquet(partial / "items.parquet", rows)
        for name, chosen in (("train", ~test), ("test", test)):
            table = purchases.loc[chosen, columns].sort_values(["user", "day"], kind="stable")
            write_parquet(partial / f"{name}.parquet", table.astype(np.int32))


def main() -> None:
    root = read(Params)
    params = root.rec_interactions
    items = pd.read_parquet(ITEMS, columns=["item_id", "original"]).sort_values("item_id", ignore_index=True)
    everything = pd.read_parquet(PURCHASES, columns=["user_id", "item_id", "day"])
    if everything.empty and (root.catalogues or root.texts):
        raise UserError(
            f"{PURCHASES} holds no purchases, so there is nothing to recommend from; "
            "set `catalogues: []` and `texts: []` in params.yaml for a study of captions alone"
        )
    purchases = with_image(everything, items)
    test = is_test(purchases["user"].to_numpy(), purchases["day"].to_numpy(), params.test_share, params.min_purchases)
    write(FOLDER, items, purchases, test)
    few = int((purchases["user"].value_counts() < params.min_purchases).sum())
    done(
        f"wrote {FOLDER}/: {purchases['user'].nunique():,} users, {len(items):,} items, {(~test).sum():,} train and {test.sum():,} test "
        f"purchases; {len(everything) - len(purchases):,} of articles without an image left out, "
        f"{few:,} users with fewer than {params.min_purchases} purchases all in train"
    )


if __name__ == "__main__":
    run(main)
