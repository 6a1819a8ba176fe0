"""How many lists of arrivals have a garment, against the lists themselves."""

from collections import Counter

import pandas as pd
import pytest

from lookbook.views import arrivals
from lookbook.views.study import RANKED, Study


def test_the_counts_are_those_of_the_lists_of_all_customers(viewed: Study) -> None:
    folders = sorted(path.parent for path in (viewed.root / RANKED).glob("*/factors.json"))
    in_lists: Counter[tuple[str, str, str]] = Counter()
    for folder in folders:
        users = pd.read_parquet(folder / "users.parquet")["user"]
        for source in arrivals.list_sources(folder):
            for run in arrivals.list_runs(folder):
                for user in users:
                    in_lists.update((folder.name, source, x) for x in arrivals.rank_arrivals(folder, source, run, user))
    assert in_lists
    for item in arrivals.read_arrivals(folders[0]):
        counts = arrivals.count_lists(viewed, item)
        assert {(count.recommender, count.source) for count in counts} >= {key[:2] for key in in_lists}
        for count in counts:
            assert count.lists == in_lists[count.recommender, count.source, item]
            folder = viewed.root / RANKED / count.recommender
            assert count.counted == len(pd.read_parquet(folder / "users.parquet")) * len(arrivals.list_runs(folder))


def test_a_garment_that_is_no_arrival_is_in_none(viewed: Study) -> None:
    assert arrivals.count_lists(viewed, "no such garment") == []


def test_of_many_customers_blocks_are_counted(viewed: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "BLOCKS", 2)
    monkeypatch.setattr(arrivals, "BLOCK_ROWS", 1)
    folder = sorted((viewed.root / RANKED).glob("*/factors.json"))[0].parent
    users = pd.read_parquet(folder / "users.parquet")["user"]
    assert len(users) > 2
    item = arrivals.rank_arrivals(folder, source := arrivals.list_sources(folder)[0], 0, users.iloc[-1])[0]
    runs = arrivals.list_runs(folder)
    ends = [users.iloc[0], users.iloc[-1]]
    expected = sum(item in arrivals.rank_arrivals(folder, source, run, user) for run in runs for user in ends)
    [count] = [
        count
        for count in arrivals.count_lists(viewed, item)
        if (count.recommender, count.source) == (folder.name, source)
    ]
    assert (count.lists, count.counted) == (expected, 2 * len(runs))
