"""The rankings of the arrivals by each run of a recommender, for every source of their features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.progress import track
from recsys.arrivals.everything import Everyone, rank_everything, score_everything
from recsys.arrivals.models import Model, list_runs, open_model, run_file
from recsys.arrivals.ranks import Distinct, compute_contributions, find_distinct, rank_distinct
from recsys.arrivals.sources import Source
from recsys.purchases.arrivals import Arrivals
from recsys.ranking.scorers import ItemFactors, project_items
from recsys.recommenders import ColdRecommender

BLOCK_USERS = 16_384  # whose factors are in memory

Figures = dict[str, float | int]


@dataclass(frozen=True)
class Projection:
    """The arrivals of every source as a run's model has them.

    Attributes:
        columns: of the model's factors, those that are not 0 for all arrivals.
        items: source → the arrivals' factors in these columns.
    """

    columns: np.ndarray
    items: dict[str, ItemFactors]


@dataclass(frozen=True)
class RunRanking:
    """What one run made of every source.

    Attributes:
        number: of the run.
        projection: the arrivals.
        ranks: source → the rank of each relevant arrival, from 0, in the order of `relevant.indices`, k for those
            behind the first k: (nnz,) uint8.
        everything: source → figures of the ranking of all items.
    """

    number: int
    projection: Projection
    ranks: dict[str, np.ndarray]
    everything: dict[str, dict[str, float]]


def rank_runs(
    recommender: ColdRecommender[Any],
    folder: Path,
    arrivals: Arrivals,
    sources: Sequence[Source],
    everyone: Everyone,
    k: int,
) -> list[RunRanking]:
    """Rank the arrivals of every source by every run, among themselves and among all items.

    Args:
        recommender: of the models.
        folder: their files.
        arrivals: the arrivals, and what the models were fitted on.
        sources: of the arrivals' features.
        everyone: the users whose rankings of all items are made.
        k: the length of a list.
    """
    rankings = []
    for number in track(list_runs(folder), "rank", unit="run"):
        with open_model(run_file(folder, number), arrivals.data) as model:
            projection = project_sources(recommender, model, sources, arrivals.item_ids)
            distinct = {source: find_distinct(items) for source, items in projection.items.items()}
            ranks = rank_arrivals(model, projection.columns, distinct, arrivals, k)
            lists = rank_everything(everyone, model, arrivals, projection.columns, distinct, k)
        everything = {source: score_everything(items, everyone, k) for source, items in lists.items()}
        rankings.append(RunRanking(number, projection, ranks, everything))
    return rankings


def project_sources(
    recommender: ColdRecommender[Any], model: Model, sources: Sequence[Source], item_ids: Sequence[str]
) -> Projection:
    """Return the factors of the arrivals for each source, without the columns that are 0 for all of them."""
    items = {
        source.name: project_items(recommender.project, model.learned, source.features.select(item_ids))
        for source in sources
    }
    used = np.any([own.vectors.any(axis=0) for own in items.values()], axis=0)
    columns = np.flatnonzero(used) if used.any() else np.arange(1)
    return Projection(columns, {name: ItemFactors(own.vectors[:, columns], own.bias) for name, own in items.items()})


def rank_arrivals(
    model: Model, columns: np.ndarray, sources: Mapping[str, Distinct], arrivals: Arrivals, k: int
) -> dict[str, np.ndarray]:
    """Rank the relevant arrivals of every user among the arrivals: source → (relevant.nnz,) uint8."""
    users, relevant = arrivals.users, arrivals.relevant
    ranks = {source: np.empty(relevant.nnz, dtype=np.uint8) for source in sources}
    for start in range(0, len(users), BLOCK_USERS):
        rows = users[start : start + BLOCK_USERS]
        own = relevant[rows]
        user = np.ascontiguousarray(model.read_users(rows)[:, columns])
        end = relevant.indptr[rows[-1] + 1]
        for source, distinct in sources.items():
            ranks[source][end - own.nnz : end] = rank_distinct(user, distinct, own, k)
    return ranks


def summarise_source(rankings: Sequence[RunRanking], source: str, arrivals: Arrivals, k: int) -> Figures:
    """Return a source's means over users, then over runs, of the ranking among the arrivals and of that of all items.

    `ndcg_<k>`, `recall_<k>`, `hit_rate_<k>` and `hit_items`, the different arrivals that any run hit.
    """
    by_run = [_score(ranking.ranks[source], arrivals, k) | ranking.everything[source] for ranking in rankings]
    hit = [arrivals.relevant.indices[ranking.ranks[source] < k] for ranking in rankings]
    means: Figures = {key: float(np.mean([figures[key] for figures in by_run])) for key in by_run[0]}
    return means | {"hit_items": len(np.unique(np.concatenate(hit)))}


def score_validation(
    recommender: ColdRecommender[Any], path: Path, arrivals: Arrivals, sources: Sequence[Source], k: int
) -> dict[str, Figures]:
    """Return the figures of validation arrivals for the sources that have features of all of them.

    Args:
        recommender: of the model.
        path: the model that was fitted without them.
        arrivals: the validation arrivals.
        sources: every source.
        k: the length of a list.
    """
    known = [source for source in sources if source.has(arrivals.item_ids)]
    if not known:
        return {}
    with open_model(path, arrivals.data) as model:
        projection = project_sources(recommender, model, known, arrivals.item_ids)
        distinct = {source: find_distinct(items) for source, items in projection.items.items()}
        ranks = rank_arrivals(model, projection.columns, distinct, arrivals, k)
    return {source: dict(_score(own, arrivals, k)) for source, own in ranks.items()}


def _score(ranks: np.ndarray, arrivals: Arrivals, k: int) -> dict[str, float]:
    """Return the means over users of one run."""
    counts = np.diff(arrivals.relevant.indptr)
    owner = np.repeat(np.arange(len(counts)), counts)
    hits = np.bincount(owner[ranks < k], minlength=len(counts))[arrivals.users]
    return {
        f"ndcg_{k}": float(compute_contributions(ranks, arrivals.relevant, k).sum() / len(hits)),
        f"recall_{k}": float((hits / counts[arrivals.users]).mean()),
        f"hit_rate_{k}": float((hits > 0).mean()),
    }


def count_rankings(
    arrivals: Arrivals, everyone: Everyone, products: np.ndarray, rankings: Sequence[RunRanking]
) -> dict[str, int]:
    """Count what the rankings are of: users, arrivals and their products, purchases, runs, and what was fitted on."""
    return {
        "users": len(arrivals.users),
        "users_without_history": arrivals.users_without_history,
        "arrivals": len(arrivals.items),
        "arrivals_bought": len(np.unique(arrivals.relevant.indices)),
        "products": len(np.unique(products)),
        "purchases": int(arrivals.relevant.nnz),
        "runs": len(rankings),
        "fit_users": len(arrivals.data.users),
        "fit_items": len(arrivals.data.items),
        "users_of_all": len(everyone.rows),
    }
