"""What a search learns from and is measured on: the validation cut, or validation items as new arrivals."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd

from features.files import Rows
from pipeline.core.errors import UserError
from recsys.fitting.cells import Cell, find_cell_rows
from recsys.purchases.arrivals import hold_out_validation
from recsys.purchases.dataset import Dataset, Split, restrict
from recsys.ranking.scorers import Factors, RandomOrder, Scorer
from recsys.ranking.settings import Run
from recsys.recommenders import ColdRecommender
from recsys.tuning.measures import draw_users, measure_arrivals, measure_lists


@dataclass(frozen=True)
class Task:
    """Data to learn from, and the measure of what was learned.

    Attributes:
        data: without the purchases that are measured.
        features: of its items; None: the recommender needs none.
        measure: the NDCG of a fitted recommender.
        counts: what is measured: users, items that are ranked, purchases.
    """

    data: Dataset
    features: Rows | None
    measure: Callable[[Scorer | RandomOrder], float]
    counts: dict[str, int]


def hold_out_cut(split: Split, cell: Cell, folder: Path, run: Run) -> Task:
    """Measure lists of all unseen items by the validation cut of the cell's catalogue.

    Args:
        split: the purchases.
        cell: what is tuned.
        folder: of all features.
        run: the length of a list; its seed draws the users that are measured where there are many; device and threads.

    Raises:
        UserError: the cut is empty.
    """
    whole = restrict(split, cell.catalogue)
    relevant = whole.validation
    if relevant is None or not relevant.nnz:
        raise UserError(
            f"rec_tune: nothing to measure on, the validation cut of the catalogue {cell.catalogue} is empty; set "
            f"rec_interactions.validation_purchases: 1, or in rec_tune patience: 0 and one value for each key of "
            f"{cell.recommender}"
        )
    data, users = whole.without_validation(), draw_users(relevant, run.seed)
    counts = {"users": len(users), "items": len(data.items), "purchases": int(relevant[users].nnz)}

    def measure(scorer: Scorer | RandomOrder) -> float:
        return measure_lists(scorer, data.train, relevant, users, run.top_k, run.threads, run.device)

    return Task(data, find_cell_rows(cell, folder, data.item_ids), measure, counts)


def hold_out_arrivals(
    split: Split, items: pd.DataFrame, recommender: ColdRecommender[Any], cell: Cell, folder: Path, run: Run
) -> Task:
    """Measure rankings of the validation arrivals among themselves, by their own descriptions.

    Args:
        split: the purchases.
        items: `item_id` and `split` of data/prepared/items.parquet.
        recommender: the cell's.
        cell: what is tuned.
        folder: of all features.
        run: the length of a list; its seed draws the users that are measured where there are many.

    Raises:
        UserError: no validation arrival was bought.
    """
    arrivals = hold_out_validation(split, items)
    own, rows = find_cell_rows(cell, folder, arrivals.item_ids), find_cell_rows(cell, folder, arrivals.data.item_ids)
    assert own is not None
    users = draw_users(arrivals.relevant, run.seed)
    counts = {
        "users": len(users),
        "users_without_history": arrivals.users_without_history,
        "items": len(arrivals.items),
        "purchases": int(arrivals.relevant[users].nnz),
    }

    def measure(scorer: Scorer | RandomOrder) -> float:
        return measure_arrivals(cast(Factors, scorer), recommender.project, own, arrivals.relevant, users, run.top_k)

    return Task(arrivals.data, rows, measure, counts)
