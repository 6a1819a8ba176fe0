"""Evaluation of files equals the definitions in dictionaries and loops."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.interchange.evaluate import evaluate
from recsys.interchange.reading import read_lists, read_purchases


def slow(test: pd.DataFrame, lists: pd.DataFrame, users: set[int], k: int) -> dict[int, tuple[float, float]]:
    """User → (NDCG, Elliot's MAP), from dictionaries and loops."""
    values = {}
    for user in users & set(test["user"]) & set(lists["user"]):
        gains = {entry.item: 2 ** (entry.rating + 1) - 1 for entry in test[test["user"] == user].itertuples()}
        listed = lists[lists["user"] == user].sort_values("score", ascending=False, kind="stable")["item"].tolist()[:k]
        ideal = sum(gain / np.log2(n + 2) for n, gain in enumerate(sorted(gains.values(), reverse=True)[:k]))
        reached = sum(gains.get(item, 0) / np.log2(n + 2) for n, item in enumerate(listed))
        hits = [item in gains for item in listed] + [False] * (k - len(listed))
        values[user] = reached / ideal, float(np.mean([sum(hits[:n]) / n for n in range(1, k + 1)]))
    return values


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 6), shuffled=st.booleans())
def test_equal_to_dictionaries_and_loops(
    seed: int, k: int, shuffled: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    random = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("t")
    train, test, lists = (
        pd.DataFrame({"user": random.integers(0, 9, n), "item": random.integers(0, 15, n)}) for n in (40, 30, 50)
    )
    test = test.drop_duplicates().assign(rating=lambda rows: random.integers(0, 5, len(rows)))
    lists = lists.drop_duplicates().assign(score=lambda rows: random.normal(size=len(rows)))
    lists = lists.sort_values(["user", "score"], ascending=[True, False])
    if shuffled:  # a list in any order of its own rows
        lists = lists.sample(frac=1, random_state=seed).sort_values("user", kind="stable")
    paths = {name: folder / f"{name}.csv" for name in ("train", "test", "lists")}
    for path, table in zip(paths.values(), (train, test, lists), strict=True):
        table.to_csv(path, index=False)
    result = evaluate(read_purchases(paths["train"]), read_purchases(paths["test"]), read_lists(paths["lists"]), [k])
    expected = slow(test, lists, set(train["user"]), k)
    assert set(map(int, result.users.to_pylist())) == set(expected)
    for row, user in enumerate(map(int, result.users.to_pylist())):
        assert result.values[f"ndcg_{k}"][row] == pytest.approx(expected[user][0])
        assert result.values[f"map_elliot_{k}"][row] == pytest.approx(expected[user][1])


def test_items_in_lists_alone_never_hit_another_users_test_items(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("0\t0\n1\t1\n")
    (tmp_path / "test.tsv").write_text("0\t1\n1\t0\n")
    (tmp_path / "lists.tsv").write_text("0\t98\n0\t99\n0\t97\n1\t0\n")
    paths = [tmp_path / f"{name}.tsv" for name in ("train", "test", "lists")]
    result = evaluate(read_purchases(paths[0]), read_purchases(paths[1]), read_lists(paths[2]), [3])
    assert result.values["recall_3"].tolist() == [0, 1]
