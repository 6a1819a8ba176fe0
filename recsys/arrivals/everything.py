"""All items ranked together: what users are shown when the arrivals stand beside the items of the fit.

The scores of the items of the fit do not depend on the words of the arrivals, so each user's best of them are found
once, and the best arrivals of every source are merged with them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from features.files import number_rows
from recsys.arrivals.models import Model
from recsys.arrivals.ranks import Distinct
from recsys.purchases.arrivals import Arrivals
from recsys.purchases.dataset import COMMON, Split
from recsys.ranking.dense import rank_above, rank_columns
from recsys.ranking.scorers import DifferentItems, ItemFactors, find_different, score_different
from recsys.ranking.topk import Lists, pack, take_highest, unpack
from recsys.scoring.metrics import compute_metrics

BLOCK_SCORES = 4_000_000  # users × items scored at once: 16 MB


@dataclass(frozen=True)
class Everyone:
    """The users whose rankings of all items are made.

    Attributes:
        rows: of the data that was fitted on, ascending: (n,).
        seen: what they bought in train, (n, n_fit_items) binary.
        arrivals: the arrivals that they bought, (n, n_all_items) binary.
        bought: those, and what else they bought in test, (n, n_all_items) binary.
        is_arrival: (n_all_items,) bool.
    """

    rows: np.ndarray
    seen: sp.csr_matrix
    arrivals: sp.csr_matrix
    bought: sp.csr_matrix
    is_arrival: np.ndarray


def draw_everyone(arrivals: Arrivals, split: Split, most: int, seed: int) -> Everyone:
    """Return the users with a history, or a sample of them where there are too many.

    Args:
        arrivals: the arrivals and what was fitted on.
        split: of the catalogue `original`.
        most: users at most.
        seed: draws them.
    """
    rows = np.arange(len(arrivals.data.users))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    users = arrivals.data.users[rows]
    is_arrival = np.zeros(len(split.item_ids), dtype=bool)
    is_arrival[arrivals.items] = True
    of_arrivals = split.matrix(np.vstack([split.train, split.test]), is_arrival)[users]
    of_others = split.matrix(split.test, split.members(COMMON) & ~is_arrival)[users]
    return Everyone(rows, arrivals.data.train[rows], of_arrivals, (of_arrivals + of_others).tocsr(), is_arrival)


def rank_everything(
    everyone: Everyone,
    model: Model,
    arrivals: Arrivals,
    columns: np.ndarray,
    sources: Mapping[str, Distinct],
    k: int,
) -> dict[str, np.ndarray]:
    """Rank the k best of all unseen items for everyone, once with the arrivals of each source.

    Args:
        everyone: the users.
        model: scores the items of the fit for them.
        arrivals: the arrivals, and what the model was fitted on.
        columns: of the model's factors, those that the arrivals have.
        sources: source → the arrivals.
        k: the length of a list.

    Returns:
        Source → indices of items, −1 for none, best first: (n, k) int32. Ties: the lower index first.
    """
    lists: dict[str, list[np.ndarray]] = {source: [] for source in sources}
    of_fit = find_different(model.items)
    same = {source: match_vectors(of_fit.items, columns, distinct) for source, distinct in sources.items()}
    for block, user in _blocks(everyone, model):
        different = score_different(user, DifferentItems(of_fit.items, None))
        scores = different if of_fit.number is None else different[:, of_fit.number]
        shared = {source: different[:, known] for source, (_, known) in same.items()}
        seen = everyone.seen[block].tocoo()
        scores[seen.row, seen.col] = -np.inf
        others = _number(rank_columns(scores, k), arrivals.data.items)
        least = others[1][:, -1]  # no arrival below it is among the best
        seen_by = np.ascontiguousarray(user[:, columns])
        for source, distinct in sources.items():
            own = distinct.score(seen_by)
            own[:, same[source][0]] = shared[source]
            own = own if distinct.sizes is None else own[:, distinct.row]
            lists[source].append(_merge(others, _number(rank_above(own, least, k), arrivals.items), k))
    return {source: np.concatenate(parts) for source, parts in lists.items()}


def match_vectors(of_fit: ItemFactors, columns: np.ndarray, arrivals: Distinct) -> tuple[np.ndarray, np.ndarray]:
    """Find the arrivals that have the vector and bias of an item of the fit: two products may round them differently.

    Args:
        of_fit: the items of the fit that differ.
        columns: of the model's factors, those that the arrivals have.
        arrivals: the arrivals that differ.

    Returns:
        Columns of `arrivals.right`, and the row of the same item of the fit for each.
    """
    others = np.delete(of_fit.vectors, columns, axis=1)
    rows = np.flatnonzero(~others.any(axis=1))
    known = np.column_stack([of_fit.vectors[rows][:, columns], of_fit.bias[rows]])
    number = number_rows([known, arrivals.right.T])
    row_of = dict(zip(number[: len(rows)].tolist(), rows.tolist(), strict=True))
    found = [(column, row_of[own]) for column, own in enumerate(number[len(rows) :].tolist()) if own in row_of]
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def score_everything(lists: np.ndarray, everyone: Everyone, k: int) -> dict[str, float]:
    """Return what the lists of all items are worth: means over the users that have a value.

    `ndcg_<k>_all`: arrivals alone are relevant. `share_<k>`: of list places that arrivals take. `everyone_ndcg_<k>`:
    all purchases that are not in train are relevant.
    """
    to_arrivals, to_all = (
        np.nanmean(compute_metrics(lists, relevant, [k])[f"ndcg_{k}"]) if relevant.nnz else 0.0
        for relevant in (everyone.arrivals, everyone.bought)
    )
    filled = lists >= 0
    share = everyone.is_arrival[lists[filled]].mean() if filled.any() else 0.0
    return {f"ndcg_{k}_all": float(to_arrivals), f"share_{k}": float(share), f"everyone_ndcg_{k}": float(to_all)}


def _blocks(everyone: Everyone, model: Model) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the factors of some users at a time: which of everyone, and (n_block, width)."""
    size = max(1, BLOCK_SCORES // max(1, len(model.items.bias)))
    for start in range(0, len(everyone.rows), size):
        block = slice(start, min(start + size, len(everyone.rows)))
        yield block, model.read_users(everyone.rows[block])


def _number(lists: Lists, items: np.ndarray) -> Lists:
    """Return the lists with the indices of items in place of columns."""
    columns, values = lists
    return np.where(columns < 0, -1, np.append(items, -1)[columns]).astype(np.int32), values


def _merge(first: Lists, second: Lists, k: int) -> np.ndarray:
    """Merge two lists of each user into the k best items of both: (n, k) int32."""
    columns, values = (np.hstack(parts) for parts in zip(first, second, strict=True))
    keys = np.where(columns < 0, np.uint64(0), pack(values, columns))
    return unpack(take_highest(keys, k))[0]
