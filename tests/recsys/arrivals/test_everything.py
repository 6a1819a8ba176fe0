"""All items ranked together equals sorting every score of every item that a user has not seen."""

from pathlib import Path

import numpy as np
import pytest

from recsys.arrivals import everything
from recsys.arrivals.everything import draw_everyone, match_vectors, rank_everything, score_everything
from recsys.arrivals.models import open_model, run_file
from recsys.arrivals.rankings import project_sources
from recsys.arrivals.ranks import Distinct, find_distinct
from recsys.ranking.scorers import ItemFactors
from recsys.recommenders import vbpr
from tests.recsys.arrivals.examples import N_ITEMS, Example, draw_example, read_scores

K = 5


def slow_lists(example: Example, source: str) -> list[list[int]]:
    """Sort the scores of every user; ties: the lower index first."""
    arrivals, data = example.arrivals, example.arrivals.data
    of_fit, of_arrivals = read_scores(example, 0, source)
    lists = []
    for row in range(len(data.users)):
        scores = np.full(N_ITEMS, -np.inf)
        scores[data.items], scores[arrivals.items] = of_fit[row], of_arrivals[row]
        scores[data.items[data.train[row].indices]] = -np.inf
        order = np.argsort(-scores, kind="stable")
        lists.append([int(item) for item in order if scores[item] > -np.inf][:K])
    return lists


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("block", [1, 200, 100_000])
def test_lists_are_those_of_sorted_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, block: int
) -> None:
    monkeypatch.setattr(everything, "BLOCK_SCORES", block)
    example = draw_example(tmp_path, seed)
    arrivals = example.arrivals
    everyone = draw_everyone(arrivals, example.split, 1000, 0)
    with open_model(run_file(tmp_path, 0), arrivals.data) as model:
        projection = project_sources(vbpr, model, example.sources, arrivals.item_ids)
        distinct = {source: find_distinct(items) for source, items in projection.items.items()}
        lists = rank_everything(everyone, model, arrivals, projection.columns, distinct, K)
    for source in ("none", "other", "reference"):
        assert [[item for item in row if item >= 0] for row in lists[source].tolist()] == slow_lists(example, source)


def test_an_arrival_of_the_vector_of_an_item_of_the_fit_is_its_tie() -> None:
    """Their scores come of two products, of other shapes: here the arrivals' are all a little higher."""
    of_fit = ItemFactors(np.array([[0, 1, 2], [0, 3, 4], [5, 3, 4]], np.float32), np.array([1, 0, 0], np.float32))
    arrivals = find_distinct(
        ItemFactors(np.array([[3, 4], [1, 2], [3, 4], [-0.0, 0]], np.float32), np.array([0, 1, 0, 0], np.float32))
    )
    of_arrivals, of_items = match_vectors(of_fit, np.array([1, 2]), arrivals)
    assert arrivals.right[:, of_arrivals].T.tolist() == [[3, 4, 0], [1, 2, 1]]
    assert of_items.tolist() == [1, 0]


def test_arrivals_of_known_features_stand_behind_their_ties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = draw_example(tmp_path)
    arrivals = example.arrivals
    everyone = draw_everyone(arrivals, example.split, 1000, 0)
    with open_model(run_file(tmp_path, 0), arrivals.data) as model:
        columns = np.arange(model.items.vectors.shape[1])
        n = len(arrivals.items)
        known = ItemFactors(model.items.vectors[:n], model.items.bias[:n])
        score = Distinct.score
        monkeypatch.setattr(Distinct, "score", lambda own, user: score(own, user) + np.float32(1e-3))
        lists = rank_everything(everyone, model, arrivals, columns, {"known": find_distinct(known)}, N_ITEMS)["known"]
    number = dict(zip(arrivals.data.items[:n].tolist(), arrivals.items.tolist(), strict=True))
    for row, seen in zip(lists.tolist(), everyone.seen, strict=True):
        place = {item: rank for rank, item in enumerate(row)}
        for column, (item, arrival) in enumerate(number.items()):
            if column not in seen.indices:
                assert (place[item] < place[arrival]) == (item < arrival)


def test_figures_are_those_of_plain_loops(tmp_path: Path) -> None:
    example = draw_example(tmp_path)
    arrivals, split = example.arrivals, example.split
    everyone = draw_everyone(arrivals, split, 1000, 0)
    lists = slow_lists(example, "reference")
    figures = score_everything(np.array(lists, dtype=np.int32), everyone, K)
    is_arrival = np.isin(np.arange(N_ITEMS), arrivals.items)
    assert figures["share_5"] == pytest.approx(np.mean([is_arrival[item] for row in lists for item in row]))
    every, test = (
        {tuple(pair) for pair in pairs.tolist()} for pairs in (np.vstack([split.train, split.test]), split.test)
    )
    own = {(user, item) for user, item in every if is_arrival[item]}
    all_bought = own | {(user, item) for user, item in test if split.original[item] and not is_arrival[item]}
    for key, bought in (("ndcg_5_all", own), ("everyone_ndcg_5", all_bought)):
        values = []
        for user, row in zip(arrivals.data.users, lists, strict=True):
            relevant = {item for buyer, item in bought if buyer == user}
            ideal = sum(1 / np.log2(np.arange(min(len(relevant), K)) + 2))
            gain = sum(1 / np.log2(rank + 2) for rank, item in enumerate(row) if item in relevant)
            values += [gain / ideal] if relevant else []
        assert figures[key] == pytest.approx(np.mean(values)), key


def test_a_sample_of_users_is_drawn_where_there_are_too_many(tmp_path: Path) -> None:
    example = draw_example(tmp_path)
    arrivals = example.arrivals
    every, some = (draw_everyone(arrivals, example.split, most, 1) for most in (1000, 7))
    assert len(every.rows) == len(arrivals.data.users)
    assert len(some.rows) == some.seen.shape[0] == some.bought.shape[0] == 7
    assert (np.diff(some.rows) > 0).all()
    assert some.rows.tolist() == draw_everyone(arrivals, example.split, 7, 1).rows.tolist()
    assert some.rows.tolist() != draw_everyone(arrivals, example.split, 7, 2).rows.tolist()
    assert (some.bought.toarray() == every.bought[some.rows].toarray()).all()
