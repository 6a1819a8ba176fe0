"""Scores of a study's lists: of each user and slice into tables, and their means."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.core.progress import track
from recsys.purchases.dataset import COMMON, Catalogue
from recsys.scoring.contributions import find_hits
from recsys.scoring.ground_truth import GroundTruth
from recsys.scoring.metrics import compute_metrics, coverage, gini, long_tail, novelty, popularity, popularity_lift
from recsys.scoring.relevance import Relevance
from recsys.scoring.score_tables import (
    HIT_LABELS,
    SLICE_LABELS,
    USER_LABELS,
    AddHits,
    AddRows,
    Relevant,
    open_hit_table,
    open_score_table,
    write_relevant_items,
)
from recsys.scoring.slices import Slice
from recsys.scoring.study_lists import ListFile, StudyLists, read_study_lists

SLICE_METRICS = ("ndcg", "recall", "hit_rate")

Columns = dict[str, np.ndarray]  # metric → (n_users,) float64, NaN where a user has no value
Figures = dict[str, float | int | str]  # means, counts, and `evaluation`
Metrics = dict[str, dict[str, Figures]]  # arm → recommender → figures


class Paths(NamedTuple):
    """The tables to write: scores per user, and per user and slice; the hits of each; the items that can be hit."""

    users: Path
    slices: Path
    hits: Path
    slice_hits: Path
    items: Path


class Tables(NamedTuple):
    """What adds rows to the tables."""

    add_users: AddRows
    add_slices: AddRows
    add_hits: AddHits
    add_slice_hits: AddHits


AddFile = Callable[[ListFile, Tables], Figures]  # adds the scores of a file of lists, and returns its means


def score_files(
    files: Sequence[ListFile], add_file: AddFile, truth: GroundTruth, cutoffs: list[int], paths: Paths
) -> Metrics:
    """Write all tables, one file of lists after the other, and return the means.

    Args:
        files: The lists to score.
        add_file: Adds the scores of a file: `score_file` of this process, or those that a cluster made.
        truth: The test purchases.
        cutoffs: How many items of a list count.
        paths: The tables to write.
    """
    metrics: Metrics = {}
    slice_columns = [f"{name}_{max(cutoffs)}" for name in SLICE_METRICS]
    with (
        open_score_table(paths.users, USER_LABELS, list_metric_columns(truth, cutoffs)) as add_users,
        open_score_table(paths.slices, SLICE_LABELS, slice_columns) as add_slices,
        open_hit_table(paths.hits, HIT_LABELS) as add_hits,
        open_hit_table(paths.slice_hits, SLICE_LABELS) as add_slice_hits,
    ):
        tables = Tables(add_users, add_slices, add_hits, add_slice_hits)
        for file in track(files, "score", unit="lists"):
            metrics.setdefault(file.arm, {})[file.recommender] = add_file(file, tables)
    write_relevant_items(paths.items, list_relevant_items(truth, max(cutoffs)))
    return metrics


def list_relevant_items(truth: GroundTruth, k: int) -> Iterator[Relevant]:
    """Yield the relevant items of each catalogue, for every NDCG at `k` of users and for every slice."""
    for catalogue, own in truth.relevant.items():
        yield Relevant(catalogue, f"ndcg_{k}", np.unique(own.test[own.scored_users].indices))
        common = truth.common(catalogue)
        if common is not None:
            users = own.scored_users[common.users[own.scored_users]]
            if not truth.published:
                yield Relevant(catalogue, f"ndcg_{k}_common", np.unique(common.test[users].indices))
            yield Relevant(catalogue, f"ndcg_masked_{k}", np.unique(common.masked[users].indices))
        for part in truth.slices[catalogue]:
            yield Relevant(catalogue, part.name, np.unique(part.relevant.indices))


def score_file(truth: GroundTruth, cutoffs: list[int], folder: Path, file: ListFile, tables: Tables) -> Figures:
    """Add the rows of one recommender on one arm to all tables, and return its means.

    Args:
        truth: The test purchases.
        cutoffs: How many items of a list count.
        folder: Where the lists are.
        file: The lists to score.
        tables: What rows are added to.
    """
    lists = read_study_lists(file.path(folder), len(truth.relevant[file.catalogue].users), cutoffs)
    own, k = truth.relevant[file.catalogue], max(cutoffs)
    columns, figures = [], []
    for run in sorted({run for _, run in lists}):
        columns.append(score_users(lists, run, truth, file.catalogue, cutoffs))
        figures.append(score_beyond_accuracy(lists[file.catalogue, run], own, cutoffs))
        labels = {"arm": file.arm, "recommender": file.recommender}
        tables.add_users(labels, run, own.scored_users, columns[-1])
        _add_hits(tables.add_hits, labels, lists, run, truth, file.catalogue, k)
        for part in truth.slices[file.catalogue]:
            items = lists[COMMON if part.common and not truth.published else file.catalogue, run]
            tables.add_slices(labels | {"slice": part.name}, run, part.users, score_slice(items, part, k))
            hits = find_hits(items[part.users], part.relevant, k)
            tables.add_slice_hits(labels | {"slice": part.name}, run, part.users, hits)
    return summarise_runs(columns, figures, own, truth.published)


def _add_hits(
    add_hits: AddHits,
    labels: dict[str, str],
    lists: StudyLists,
    run: int,
    truth: GroundTruth,
    catalogue: Catalogue,
    k: int,
) -> None:
    """Add the hits of one run that each NDCG at `k` is made of, under the metric's name as users have it."""
    own, common = truth.relevant[catalogue], truth.common(catalogue)
    users = own.scored_users
    hits = find_hits(lists[catalogue, run][users], own.test[users], k)
    add_hits(labels | {"metric": f"ndcg_{k}"}, run, users, hits)
    if common is None:
        return
    users = users[common.users[users]]
    items = lists[COMMON, run][users]
    if not truth.published:
        hits = hits if own is common else find_hits(items, common.test[users], k)
        add_hits(labels | {"metric": f"ndcg_{k}_common"}, run, users, hits)
    masked = find_hits(items, common.masked[users], k)
    add_hits(labels | {"metric": f"ndcg_masked_{k}"}, run, users, masked)


def list_metric_columns(truth: GroundTruth, cutoffs: list[int]) -> list[str]:
    """Return the metrics in the columns of the table of users."""
    own = list(compute_metrics(np.empty((0, 1), np.int32), next(iter(truth.relevant.values())).test[:0], cutoffs))
    common = [] if truth.published else [f"{name}_common" for name in own]
    return [*own, *common, *([f"ndcg_masked_{max(cutoffs)}"] if COMMON in truth.relevant else [])]


def score_users(lists: StudyLists, run: int, truth: GroundTruth, catalogue: Catalogue, cutoffs: list[int]) -> Columns:
    """Return every metric of the scored users of one run: (n_scored_users,) each."""
    own, common, largest_cutoff = truth.relevant[catalogue], truth.common(catalogue), max(cutoffs)
    users = own.scored_users
    columns = compute_metrics(lists[catalogue, run][users], own.test[users], cutoffs)
    names = list(columns)
    if common is None:
        return columns
    items = lists[COMMON, run][users]
    values = columns if own is common else compute_metrics(items, common.test[users], cutoffs)
    known = common.users[users]
    if not truth.published:
        columns |= {f"{name}_common": np.where(known, values[name], np.nan) for name in names}
    masked = compute_metrics(items, common.masked[users], [largest_cutoff])[f"ndcg_{largest_cutoff}"]
    return columns | {f"ndcg_masked_{largest_cutoff}": np.where(known, masked, np.nan)}


def score_beyond_accuracy(lists: np.ndarray, own: Relevance, cutoffs: list[int]) -> dict[str, float]:
    """Return coverage, novelty and popularity bias of the lists of one run; what is not a finite number is left out.

    Args:
        lists: (n_all_users, depth) items, −1 for none.
        own: The test side of their catalogue.
        cutoffs: Coverage has every cutoff, the other metrics the largest.
    """
    k = max(cutoffs)
    n_users = int(own.users.sum())
    figures = {f"coverage_{cutoff}": coverage(lists, own.n_candidates, cutoff) for cutoff in cutoffs}
    figures[f"gini_{k}"] = gini(lists, own.n_candidates, k)
    items = lists[own.users]
    by_user = {
        "novelty": novelty(items, own.buyers, n_users, k),
        "popularity": popularity(items, own.buyers, k),
        "long_tail": long_tail(items, own.buyers, k),
    }
    figures |= {f"{name}_{k}": float(np.nanmean(values)) for name, values in by_user.items() if (items >= 0).any()}
    figures[f"popularity_lift_{k}"] = popularity_lift(items, own.train[own.users], k)
    return {name: float(value) for name, value in figures.items() if np.isfinite(value)}


def score_slice(lists: np.ndarray, part: Slice, k: int) -> Columns:
    """Return the metrics at `k` of the users of a slice: (n_slice_users,) each."""
    values = compute_metrics(lists[part.users], part.relevant, [k])
    return {f"{name}_{k}": values[f"{name}_{k}"] for name in SLICE_METRICS}


def summarise_runs(columns: list[Columns], figures: list[dict[str, float]], own: Relevance, published: bool) -> Figures:
    """Return the means over users, then over runs, and the counts of one recommender on one arm.

    Args:
        columns: The metrics of each run's users.
        figures: The figures beyond accuracy of each run.
        own: The test side of the arm's catalogue.
        published: Whether catalogues have splits of their own.
    """
    values = {name: [run[name][~np.isnan(run[name])] for run in columns] for name in columns[0]}
    means = {name: float(np.mean([run.mean() for run in runs])) for name, runs in values.items() if len(runs[0])}
    means |= {name: float(np.mean([run[name] for run in figures])) for name in figures[0]}
    ndcg = [name for name in values if name.startswith("ndcg_")]
    counted = {"users": ndcg[0]} | {
        f"users_{kind}": name for name in ndcg for kind in ("common", "masked") if kind in name
    }
    counts = {"runs": len(columns)} | {key: len(values[name][0]) for key, name in counted.items()}
    counts["users_without_test"] = int(own.users.sum()) - len(own.scored_users)
    return means | counts | own.counts | ({"evaluation": "published"} if published else {})


def describe_best(metrics: Metrics, k: int) -> str:
    """Name the list with the highest NDCG, on the items in common where catalogues are compared."""
    key, users, where = f"ndcg_{k}_common", "users_common", "on the items and {:,} users in common"
    if not any(key in values for arm in metrics.values() for values in arm.values()):
        key, users, where = f"ndcg_{k}", "users", "of {:,} users, each catalogue alone"
    ranked = [
        (float(values[key]), int(values[users]), name, arm)
        for arm in metrics
        for name, values in metrics[arm].items()
        if key in values
    ]
    value, n, name, arm = max(ranked)
    return f"best NDCG@{k} {where.format(n)}: {value:.4f} ({name}, {arm})"
