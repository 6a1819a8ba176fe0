"""NDCG on the sample's purchases, against a slow and obvious BPR and VBPR: within the spread of seeds."""

from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from features.files import all_rows
from pipeline.core.params import REFERENCE, load
from recsys.purchases.dataset import dataset_of
from recsys.ranking.recommend import recommend
from recsys.ranking.settings import Run
from recsys.recommenders import bm3, bpr, freedom, lightgcn, vbpr
from recsys.scoring.metrics import compute_metrics
from sample.market.assortment import build_articles, build_truth, draw_assortment
from sample.market.customers import draw_customers, draw_transactions
from tests.helpers.full import full

SEEDS = range(5)


@pytest.fixture(scope="module")
def sample() -> tuple[sp.csr_matrix, sp.csr_matrix, np.ndarray]:
    """Purchases of the sample, the last fifth of each customer's for the test, and what its articles look like."""
    section = load(REFERENCE)["sample_shop"]
    articles = draw_assortment(Random(f"{section['seed']} articles"), section["articles"])
    table, truth = build_articles(articles), build_truth(articles)
    random = np.random.default_rng(section["seed"])
    customers = draw_customers(random, section["customers"])
    bought = draw_transactions(
        random, truth, table["product_code"], customers["customer_id"], section["purchases"]
    ).sort_values(["customer_id", "t_dat"], kind="stable")
    user = pd.factorize(bought["customer_id"])[0]
    item = pd.Index(table["article_id"]).get_indexer(bought["article_id"])
    rank = bought.groupby("customer_id").cumcount().to_numpy()
    test = rank >= np.maximum(1, np.floor(0.8 * np.bincount(user)))[user]

    def matrix(chosen: np.ndarray) -> sp.csr_matrix:
        values = sp.csr_matrix(
            (np.ones(chosen.sum(), np.float32), (user[chosen], item[chosen])), shape=(user.max() + 1, len(table))
        )
        values.data[:] = 1
        values.sort_indices()
        return values

    looks = pd.get_dummies(truth.drop(columns=["article_id"]).astype(str)).to_numpy(np.float32)
    return matrix(~test), matrix(test), looks


class Slow:
    """VBPR as in the paper (BPR without features) by NumPy: dense gradients, single triples.

    Adam moves the rows of users and items that a batch names, each by its own count of steps (`recsys.pairwise.adam`).
    """

    def __init__(
        self, train: sp.csr_matrix, features: np.ndarray | None, settings: bpr.Settings | vbpr.Settings, seed: int
    ) -> None:
        self.random, self.settings = np.random.default_rng((99, seed)), settings
        self.bought = [set(row) for row in np.split(train.indices, train.indptr[1:-1])]
        self.n_users, self.n_items, self.n_triples = *train.shape, train.nnz
        looks = np.zeros((self.n_items, 1)) if features is None else features
        spread = looks.std(0)
        self.f = (looks - looks.mean(0)) / np.where(spread > 0, spread, 1) / np.sqrt(max(1, (spread > 0).sum()))
        seen = 0 if features is None else settings.factors // 2
        shapes = [(self.n_users, settings.factors - seen), (self.n_items, settings.factors - seen), (self.n_items,)]
        shapes += [(self.n_users, seen), (self.f.shape[1], seen), (self.f.shape[1],)]
        self.p = [0.1 * self.random.normal(size=shape) * (len(shape) == 2) for shape in shapes]
        self.m, self.v = [np.zeros(shape) for shape in shapes], [np.zeros(shape) for shape in shapes]
        self.t = [np.zeros(shape[0]) for shape in shapes]  # steps of each row

    def batch(self, size: int) -> np.ndarray:
        rows = []
        for _ in range(size):
            user = int(self.random.integers(self.n_users))
            mine = sorted(self.bought[user])
            other = int(self.random.integers(self.n_items))
            while other in self.bought[user]:
                other = int(self.random.integers(self.n_items))
            rows.append((user, mine[int(self.random.integers(len(mine)))], other))
        return np.array(rows)

    def step(self, rows: np.ndarray) -> None:
        user, better, worse = rows.T
        gamma, item, bias, theta, e, appeal = self.p
        apart = self.f[better] - self.f[worse]
        higher = (gamma[user] * (item[better] - item[worse])).sum(1) + bias[better] - bias[worse]
        higher += (theta[user] * (apart @ e)).sum(1) + apart @ appeal
        pull = (-1 / (1 + np.exp(higher)) / len(rows))[:, None]
        decay = 2 * self.settings.regularisation / len(rows)
        g = [np.zeros_like(part) for part in self.p]
        np.add.at(g[0], user, pull * (item[better] - item[worse]) + decay * gamma[user])
        np.add.at(g[1], better, pull * gamma[user] + decay * item[better])
        np.add.at(g[1], worse, -pull * gamma[user] + decay * item[worse])
        np.add.at(g[2], better, pull[:, 0] + decay * bias[better])
        np.add.at(g[2], worse, -pull[:, 0] + decay * bias[worse])
        np.add.at(g[3], user, pull * (apart @ e) + decay * theta[user])
        g[4] = apart.T @ (pull * theta[user])
        g[5] = apart.T @ pull[:, 0]
        users, items, whole = np.unique(user), np.unique([better, worse]), slice(None)
        for number, named in enumerate([users, items, items, users, whole, whole]):
            self.move(number, g[number], named)

    def move(self, number: int, gradient: np.ndarray, rows: slice | np.ndarray) -> None:
        p, m, v = self.p[number], self.m[number], self.v[number]
        m[rows] += 0.1 * (gradient[rows] - m[rows])
        v[rows] += 0.001 * (gradient[rows] ** 2 - v[rows])
        self.t[number][rows] += 1
        t = self.t[number][rows].reshape(-1, *[1] * (p.ndim - 1))
        p[rows] -= self.settings.learning_rate * (m[rows] / (1 - 0.9**t)) / (np.sqrt(v[rows] / (1 - 0.999**t)) + 1e-8)

    def fit(self) -> "Slow":
        for _ in range(self.settings.epochs):
            left = self.n_triples
            while left:
                size = min(left, self.settings.batch_size)
                self.step(self.batch(size))
                left -= size
        return self

    def scores(self, users: np.ndarray) -> np.ndarray:
        gamma, item, bias, theta, e, appeal = self.p
        return (gamma[users] @ item.T + bias + theta[users] @ (self.f @ e).T + self.f @ appeal).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("module", [bpr, pytest.param(vbpr, marks=full)], ids=["bpr", "vbpr"])
def test_ndcg_is_that_of_a_slow_obvious_implementation(
    sample: tuple[sp.csr_matrix, sp.csr_matrix, np.ndarray], module: Any
) -> None:
    train, test, looks = sample
    own = module.Settings(**load(REFERENCE)["rec_fit"][module.__name__.rpartition(".")[2]])
    features = looks if module is vbpr else None

    def ndcg(scorer: object) -> float:
        lists, _ = recommend(scorer, train, 12, {"all": np.ones(train.shape[1], dtype=bool)})["all"]
        return float(np.nanmean(compute_metrics(lists, test, [12])["ndcg_12"]))

    rows = None if features is None else all_rows(features)
    ours = [ndcg(module.fit(dataset_of(train), own, Run(seed, top_k=12), rows)) for seed in SEEDS]
    slow = [ndcg(Slow(train, features, own, seed).fit()) for seed in SEEDS]
    print(module, np.round(ours, 4), np.round(slow, 4))
    assert abs(np.mean(ours) - np.mean(slow)) <= max(np.ptp(ours), np.ptp(slow))
    assert min(*ours, *slow) > 0.05  # most popular: 0.04


@full
@pytest.mark.slow
def test_content_of_other_items_sinks_freedom_below_lightgcn_and_hardly_moves_bm3(
    sample: tuple[sp.csr_matrix, sp.csr_matrix, np.ndarray],
) -> None:
    train, test, looks = sample
    shuffled = np.random.default_rng(0).permutation(looks)

    def ndcg(module: Any, features: np.ndarray | None, **changes: float) -> float:
        own = module.Settings(**(load(REFERENCE)["rec_fit"][module.__name__.rpartition(".")[2]] | changes))
        rows = None if features is None else all_rows(features)
        scorer = module.fit(dataset_of(train), own, Run(0, top_k=12), rows)
        lists, _ = recommend(scorer, train, 12, {"all": np.ones(train.shape[1], dtype=bool)})["all"]
        return float(np.nanmean(compute_metrics(lists, test, [12])["ndcg_12"]))

    without, true, wrong = ndcg(lightgcn, None), ndcg(freedom, looks), ndcg(freedom, shuffled)
    print(f"lightgcn {without:.4f}, freedom {true:.4f}, with the features of other items {wrong:.4f}")
    assert true > 1.05 * without
    assert wrong < 0.95 * without
    true, wrong = (ndcg(bm3, features, regularisation=1e-4) for features in (looks, shuffled))
    print(f"bm3 {true:.4f}, with the features of other items {wrong:.4f}")
    assert min(true, wrong) > 0.05  # most popular: 0.04
    assert wrong > 0.85 * true  # no list reads a feature; FREEDOM keeps 0.62
