"""What tuning measures: NDCG of purchases that were not learned from."""

from collections.abc import Callable, Mapping

import numpy as np
import scipy.sparse as sp

from features.files import Rows
from recsys.arrivals.ranks import compute_contributions, rank_relevant
from recsys.ranking.recommend import recommend
from recsys.ranking.scorers import Factors, ItemFactors, RandomOrder, Scorer, SparseProduct, project_items
from recsys.scoring.metrics import compute_metrics

USERS = 10_000  # measured at most

Project = Callable[[Mapping[str, np.ndarray], Rows], ItemFactors]


def draw_users(relevant: sp.csr_matrix, seed: int) -> np.ndarray:
    """Return the users with a relevant item, or a sample of them where there are too many: (n,) rows, ascending."""
    users = np.flatnonzero(np.diff(relevant.indptr))
    if len(users) > USERS:
        users = np.sort(np.random.default_rng(seed).choice(users, USERS, replace=False))
    return users


def measure_lists(
    scorer: Scorer | RandomOrder,
    train: sp.csr_matrix,
    relevant: sp.csr_matrix,
    users: np.ndarray,
    k: int,
    threads: int = 1,
    device: str = "cpu",
) -> float:
    """Return the mean NDCG@k of some users' lists of unseen items.

    Args:
        scorer: what is measured.
        train: (n_users, n_items), the pairs that no list holds.
        relevant: (n_users, n_items).
        users: rows, each with a relevant item.
        k: the length of a list.
        threads: CPU threads.
        device: where dense scores are ranked, cpu or cuda.
    """
    everything = {"all": np.ones(train.shape[1], dtype=bool)}
    if isinstance(scorer, Factors):
        scorer = Factors(scorer.user[users], scorer.item, scorer.bias)
    elif isinstance(scorer, SparseProduct):
        scorer = SparseProduct(scorer.left[users], scorer.right)
    else:  # the row of a user may matter
        lists, _ = recommend(scorer, train, k, everything, threads, device)["all"]
        return float(np.mean(compute_metrics(lists[users], relevant[users], [k])[f"ndcg_{k}"]))
    lists, _ = recommend(scorer, train[users], k, everything, threads, device)["all"]
    return float(np.mean(compute_metrics(lists, relevant[users], [k])[f"ndcg_{k}"]))


def measure_arrivals(
    factors: Factors, project: Project, features: Rows, relevant: sp.csr_matrix, users: np.ndarray, k: int
) -> float:
    """Return the mean NDCG@k of some users' rankings of the arrivals among themselves.

    Args:
        factors: what is measured.
        project: of the recommender.
        features: of the arrivals, (n_arrivals, dim).
        relevant: (n_users, n_arrivals).
        users: rows, each with a relevant arrival.
        k: the length of a list.
    """
    own = relevant[users]
    ranks = rank_relevant(factors.user[users], project_items(project, factors.learned, features), own, k)
    return float(compute_contributions(ranks, own, k).sum() / len(users))
