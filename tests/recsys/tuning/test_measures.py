"""What tuning measures equals plain loops, for every kind of scorer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from features.files import Rows, all_rows
from recsys.purchases.dataset import dataset_of
from recsys.ranking.scorers import Factors, ItemFactors
from recsys.recommenders import bpr, contentknn, itemknn, mostpop, random, vbpr
from recsys.tuning import measures
from recsys.tuning.measures import draw_users, measure_arrivals, measure_lists
from tests.recsys.recommenders.contract import RUN, parity_features, settings_of, shop


def shop_without_a_cut() -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Return purchases without some of them, and those."""
    whole = shop()
    chosen = np.random.default_rng(0).random(whole.nnz) < 0.2
    chosen[whole.indptr[:-1]] = False
    parts = []
    for kept in (~chosen, chosen):
        part = whole.copy()
        part.data = kept.astype(np.float32)
        part.eliminate_zeros()
        parts.append(part)
    return parts[0], parts[1]


def slow_ndcg(scores: np.ndarray, relevant: sp.csr_matrix, users: np.ndarray, k: int) -> float:
    """Average the NDCG of users' sorted scores."""
    values = []
    for user in users:
        best = np.argsort(-scores[user], kind="stable")[:k]
        gains = relevant[user].toarray()[0][best] @ (1 / np.log2(np.arange(len(best)) + 2))
        values.append(gains / (1 / np.log2(np.arange(min(k, relevant[user].nnz)) + 2)).sum())
    return float(np.mean(values))


@pytest.mark.parametrize("module", [bpr, itemknn, mostpop, vbpr, contentknn])
@pytest.mark.parametrize("most", [1000, 11])
def test_lists_are_measured_on_unseen_items(monkeypatch: pytest.MonkeyPatch, module: Any, most: int) -> None:
    monkeypatch.setattr(measures, "USERS", most)
    train, cut = shop_without_a_cut()
    features = all_rows(parity_features(90)) if module.NEEDS_FEATURES else None
    scorer = module.fit(dataset_of(train), settings_of(module), RUN, features)
    users = draw_users(cut, seed=1)
    assert len(users) == min(most, np.count_nonzero(np.diff(cut.indptr)))
    scores = scorer.scores(np.arange(60))
    scores = np.array(scores.toarray() if sp.issparse(scores) else scores)
    scores[train.nonzero()] = -np.inf
    assert measure_lists(scorer, train, cut, users, 12) == pytest.approx(slow_ndcg(scores, cut, users, 12), abs=1e-9)


def test_a_random_order_is_measured_by_each_users_own_row() -> None:
    train, cut = shop_without_a_cut()
    scorer = random.fit(dataset_of(train), random.Settings(), RUN)
    every, some = np.flatnonzero(np.diff(cut.indptr)), np.flatnonzero(np.diff(cut.indptr))[3:5]
    assert measure_lists(scorer, train, cut, every, 12) > 0
    by_user = [measure_lists(scorer, train, cut, np.array([user]), 12) for user in some]
    assert measure_lists(scorer, train, cut, some, 12) == pytest.approx(np.mean(by_user))


def test_arrivals_are_measured_among_themselves() -> None:
    train, features = shop(), parity_features(120)
    relevant = sp.csr_matrix((np.random.default_rng(1).random((60, 30)) < 0.1).astype(np.float32))
    fitted = contentknn.fit(dataset_of(train), contentknn.Settings(), RUN, all_rows(features[:90]))
    users, own = draw_users(relevant, 0), all_rows(features[90:])
    found = measure_arrivals(fitted, contentknn.project, own, relevant, users, 12)
    vectors, bias = contentknn.project(fitted.learned, own)
    assert isinstance(fitted, Factors)
    scores = fitted.user @ vectors.T + bias
    assert found == pytest.approx(slow_ndcg(scores, relevant, users, 12), abs=1e-9)


def test_arrivals_of_equal_features_are_measured_as_ties() -> None:
    """A product may round equal rows by their place: here the later ones get more."""
    train = shop()
    fitted = contentknn.fit(dataset_of(train), contentknn.Settings(), RUN, all_rows(parity_features(90)))
    features = all_rows(np.tile(parity_features(2)[:1], (30, 1)))
    relevant = sp.csr_matrix(np.eye(60, 30, dtype=np.float32))

    def project(learned: Mapping[str, np.ndarray], rows: Rows) -> ItemFactors:
        items = contentknn.project(learned, rows)
        return ItemFactors(items.vectors, items.bias + np.arange(len(items.bias), dtype=np.float32))

    found = measure_arrivals(fitted, project, features, relevant, np.arange(30), 12)
    assert found == pytest.approx(sum(1 / np.log2(np.arange(12) + 2)) / 30)
