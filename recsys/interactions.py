"""python -m recsys.interactions: split every purchase of an article with an image by user and time.

Writes `data/interactions/`: `users.parquet` (`user`, `user_id`), `items.parquet` (`item`, `item_id`, `original`; every
article with an image, also those never bought); `train.parquet`, `test.parquet` and `validation.parquet` (`user`,
`item`, `day`; a row per purchase, by user, day and file order); `counts.json`: users, purchases, cold users and items.

The purchases go through these steps, in this order:

1. those of articles without an image are left out;
2. `sampling: 10M | 2M`: users are drawn at random (`sampling_seed`), each with all purchases, as long as these add up
   to no more. `sampling_study: true` first keeps of a user's purchases of one day only the first in the file: the
   study's samples lost the others. (How the study drew is not published: same sizes and the same loss, not the same
   users);
3. `repeats: drop`: of an article bought again by the same user only the first purchase is kept;
4. the split. `per_user`: of a user's n purchases, by day and on the same day by file order, the first
   ⌊(1 − test_share) n⌋ are train, at least one, the rest test. `date`: test is what was bought on the last `test_days`
   days of the data. Users with fewer than `min_purchases` go by `few_purchases`: `train`: entirely in train; `drop`:
   left out; `study`: entirely in test, as the study's users with one purchase were (⌊0.8 · 1⌋ = 0), to whom nothing can
   be recommended;
5. validation: the last `validation_purchases` of each user's train purchases, never the only one. They are in train
   too: a final fit is on all of train, and early stopping learns from train without them.

`evaluation: common`: catalogues are restrictions of this one split (`recsys.purchases.dataset`), so no purchase changes
sides between them. `published`: in addition, steps 3 to 5 are done for each catalogue on the purchases of its own
articles, as the study did; these splits are in `published/<catalogue>/`, and lists are made and scored on them.

A study without purchases has `catalogues: []` and `texts: []`, and empty files here.
"""

from pathlib import Path
from typing import Any

from pipeline.checkpoints import checkpoint_folder, key_folder
from pipeline.core.errors import UserError
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import MACHINE, Machine
from pipeline.names import ROOT
from recsys.purchases.dataset import CATALOGUES
from recsys.purchases.division import draw_sample, write_interactions
from recsys.purchases.ranges import can_share, write_in_ranges
from recsys.purchases.reading import read_items, read_purchases
from recsys.purchases.settings import RecInteractions

PURCHASES = Path("data/prepared/purchases.parquet")
ITEMS = Path("data/prepared/items.parquet")
FOLDER = Path("data/interactions")
LIBRARIES = ("numpy", "polars", "pyarrow")
RULES = {"train": "entirely in train", "drop": "left out", "study": "entirely in test"}  # of few_purchases


class Params(Section):
    """What the stage reads of params.yaml."""

    catalogues: list[str]
    texts: list[str]
    machine: Machine
    rec_interactions: RecInteractions


def main() -> None:
    """Read, sample, divide and write the purchases."""
    root = read(Params)
    params, where = root.rec_interactions, root.machine.where()
    if where.cluster != "none" and can_share(params, PURCHASES):
        code = [ROOT / "recsys/purchases", ROOT / "catalogue/prepared/items.py"]
        key = key_folder("rec_interactions", root.model_dump(exclude={MACHINE}), [ITEMS, PURCHASES, *code], LIBRARIES)
        with checkpoint_folder(key) as work:
            print_counts(*write_in_ranges(FOLDER, ITEMS, PURCHASES, params, work, where), params)
        return
    items = read_items(ITEMS)
    purchases, user_ids, n_all = read_purchases(items, PURCHASES)
    if not n_all and (root.catalogues or root.texts):
        raise UserError(
            f"{PURCHASES} holds no purchases, so there is nothing to recommend from; "
            "set `catalogues: []` and `texts: []` in params.yaml for a study of captions alone"
        )
    left_out = n_all - len(purchases)
    purchases, user_ids = draw_sample(purchases, user_ids, params)
    counts = write_interactions(FOLDER, items, user_ids, purchases, params)
    print_counts(counts, left_out, params)


def print_counts(counts: dict[str, Any], left_out: int, params: RecInteractions) -> None:
    """Print what was written, and how many purchases of articles without an image were not."""
    print_summary(
        f"wrote {FOLDER}/: {summarise(counts, params)}; {left_out:,} purchases of articles without an image left out"
    )


def summarise(counts: dict[str, Any], params: RecInteractions) -> str:
    """Return the figures of each catalogue as one line."""
    figures = [
        f"{catalogue}: {counts[catalogue]['train_purchases']:,} train and {counts[catalogue]['test_purchases']:,} test "
        f"purchases, cold in test: {counts[catalogue]['cold_users']:,} users, {counts[catalogue]['cold_items']:,} items"
        for catalogue in CATALOGUES
    ]
    rule = f"those with fewer than {params.min_purchases} purchases {RULES[params.few_purchases]}"
    return f"{counts['users']:,} users, {rule}; {'; '.join(figures)}"


if __name__ == "__main__":
    run(main)
