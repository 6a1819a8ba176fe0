import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.core.params import REFERENCE, load
from recsys import interactions
from recsys.purchases import division
from recsys.purchases.dataset import read_split, restrict
from recsys.purchases.division import write_interactions
from recsys.purchases.settings import RecInteractions
from recsys.purchases.splits import Purchases

PARAMS = load(REFERENCE)["rec_interactions"]
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 4)), min_size=2, max_size=60)
ITEM_IDS = [f"{item:010}" for item in range(8)]


def params(**chosen: Any) -> RecInteractions:
    return RecInteractions(**(PARAMS | chosen))


def write_inputs(folder: Path, purchases: list[tuple[str, str, int]], items: dict[str, bool]) -> None:
    folder.mkdir(parents=True)
    table = pd.DataFrame(purchases, columns=["user_id", "item_id", "day"]).astype(
        {"day": "int32", "user_id": str, "item_id": str}
    )
    table.to_parquet(folder / "purchases.parquet")
    pd.DataFrame({"item_id": list(items), "original": list(items.values())}).to_parquet(folder / "items.parquet")


@pytest.fixture
def empty_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty study folder with the sample's params, as the working directory."""
    (tmp_path / "params.yaml").write_text((Path(__file__).parents[2] / "studies" / "sample.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


ITEMS = {"0000000001": True, "0000000002": False, "0000000003": True, "0000000004": True}
BASKET = [
    ("bea", "0000000003", 5),
    ("ann", "0000000001", 3),
    ("ann", "0000000002", 3),  # the same day
    ("ann", "0000000001", 3),  # and the same article once more
    ("ann", "0000000009", 1),  # no image
    ("ann", "0000000003", 9),
    ("ann", "0000000001", 9),
]


def test_files_hold_every_purchase_of_an_article_with_an_image(empty_study: Path) -> None:
    write_inputs(empty_study / "data/prepared", BASKET, ITEMS)
    interactions.main()
    folder = empty_study / "data/interactions"
    names = ("users", "items", "train", "test", "validation")
    read = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
    assert read["users"].to_dict("list") == {"user": [0, 1], "user_id": ["ann", "bea"]}
    assert read["items"].to_dict("list") == {
        "item": [0, 1, 2, 3],
        "item_id": list(ITEMS),
        "original": list(ITEMS.values()),
    }
    assert read["train"].to_numpy().tolist() == [[0, 0, 3], [0, 1, 3], [0, 0, 3], [0, 2, 9], [1, 2, 5]]
    assert read["test"].to_numpy().tolist() == [[0, 0, 9]]
    assert read["validation"].to_numpy().tolist() == [[0, 2, 9]]


def test_a_study_without_purchases(empty_study: Path) -> None:
    write_inputs(empty_study / "data/prepared", [], ITEMS)
    with pytest.raises(UserError, match=r"set `catalogues: \[\]` and `texts: \[\]`"):
        interactions.main()
    assert not (empty_study / "data/interactions").exists()
    text = (empty_study / "params.yaml").read_text()
    text = text.replace("catalogues:\n- original\n- all\n", "catalogues: []\n")
    head, _, tail = text.partition("texts:\n")
    (empty_study / "params.yaml").write_text(head + "texts: []\nrecommenders:" + tail.partition("recommenders:")[2])
    interactions.main()
    assert len(pd.read_parquet(empty_study / "data/interactions/train.parquet")) == 0


def test_purchases_of_other_articles_only_are_refused(empty_study: Path) -> None:
    write_inputs(empty_study / "data/prepared", [("ann", "108775015", 1)], ITEMS)
    with pytest.raises(UserError, match=r"none of 1 purchases .*108775015 … there, 0000000001, 0000000002"):
        interactions.main()


def divide(
    folder: Path, rows: list[tuple[int, int, int]], own: set[int], **chosen: Any
) -> tuple[pl.DataFrame, Purchases, RecInteractions]:
    """data/interactions/ of these purchases in `folder`; `own` are the items of `original`."""
    items = pl.DataFrame({"item_id": ITEM_IDS, "original": [item in own for item in range(8)]})
    items = items.select(pl.int_range(8, dtype=pl.Int32).alias("item"), "item_id", "original")
    purchases = Purchases(*np.array(rows, dtype=np.int32).T)
    users, user = np.unique(purchases.user, return_inverse=True)
    purchases = Purchases(user.astype(np.int32), purchases.item, purchases.day)
    names = np.array([f"u{user}" for user in users], dtype=object)
    write_interactions(folder, items, names, purchases, params(**chosen))
    return items, purchases, params(**chosen)


def read(folder: Path, name: str) -> list[tuple[int, int, int]]:
    return [tuple(row) for row in pd.read_parquet(folder / f"{name}.parquet").to_numpy().tolist()]


def may_be_empty(function: Any) -> Any:
    """A split that leaves a side empty is refused; that is tested elsewhere."""
    try:
        return function()
    except UserError:
        return None


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, own=st.sets(st.integers(0, 7)), split=st.sampled_from(["per_user", "date"]))
def test_no_purchase_changes_sides_between_catalogues(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]], own: set[int], split: str
) -> None:
    folder = tmp_path_factory.mktemp("interactions") / "split"
    if may_be_empty(lambda: divide(folder, rows, own, split=split, test_days=2)) is None:
        return
    whole = read_split(folder)
    everything, original = restrict(whole, "all"), restrict(whole, "original")
    pairs = {(everything.users[u], everything.items[i]) for u, i in zip(*everything.train.nonzero(), strict=True)}
    assert {(original.users[u], original.items[i]) for u, i in zip(*original.train.nonzero(), strict=True)} == {
        (u, i) for u, i in pairs if i in own
    }
    assert original.items.tolist() == everything.items[everything.common].tolist()
    assert set(original.users) <= set(everything.users)
    assert len(whole.train) + len(whole.test) == len(rows)
    assert original.item_ids == [f"{i:010}" for i in original.items]
    assert (everything.train.data == 1).all()
    assert everything.train.has_sorted_indices


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, own=st.sets(st.integers(0, 7), min_size=1), few_purchases=st.sampled_from(["train", "drop", "study"]))
def test_published_splits_each_catalogue_alone_as_the_study_did(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]], own: set[int], few_purchases: str
) -> None:
    folder = tmp_path_factory.mktemp("interactions")
    chosen = {"evaluation": "published", "few_purchases": few_purchases}
    if may_be_empty(lambda: divide(folder / "both", rows, own, **chosen)) is None:
        return
    alone = [row for row in rows if row[1] in own]
    if not alone:
        return
    numbers = {user: number for number, user in enumerate(sorted({user for user, _, _ in rows}))}
    users = {number: numbers[user] for number, user in enumerate(sorted({user for user, _, _ in alone}))}
    divide(folder / "alone", alone, own, few_purchases=few_purchases)  # the study: only these purchases, and one split
    for name in ("train", "test", "validation"):
        expected = [(users[user], item, day) for user, item, day in read(folder / "alone", name)]
        assert read(folder / "both" / "published" / "original", name) == expected
        assert read(folder / "both" / "published" / "all", name) == read(folder / "both", name)
    split = read_split(folder / "both", "original")
    assert split.published
    assert [tuple(pair) for pair in split.train] == [
        row[:2] for row in read(folder / "both/published/original", "train")
    ]
    assert not read_split(folder / "alone", "original").published


def test_four_fifths_of_a_catalogue_are_not_four_fifths_of_all_in_it(tmp_path: Path) -> None:
    """Why `published` catalogues cannot be compared: the same purchase is test here and train there."""
    rows = [(0, item, day) for day, item in enumerate([0, 1, 2, 3, 7, 7, 7, 7, 7, 7])]
    divide(tmp_path / "split", rows, own={0, 1, 2, 3}, evaluation="published")
    assert (0, 3, 3) in read(tmp_path / "split/published/original", "test")
    assert (0, 3, 3) in read(tmp_path / "split/published/all", "train")


@settings(deadline=None, max_examples=30)
@given(rows=ROWS, per_user=st.integers(0, 3))
def test_validation_is_of_train_and_learning_before_it_does_not_see_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]], per_user: int
) -> None:
    folder = tmp_path_factory.mktemp("interactions") / "split"
    if may_be_empty(lambda: divide(folder, rows, set(range(8)), validation_purchases=per_user)) is None:
        return
    train, late = read(folder, "train"), read(folder, "validation")
    early = list(train)
    for row in late:
        early.remove(row)
    data = restrict(read_split(folder), "all")
    assert data.validation is not None

    def pairs(matrix: Any) -> set[tuple[int, int]]:
        return {(int(data.users[u]), int(data.items[i])) for u, i in zip(*matrix.nonzero(), strict=True)}

    assert pairs(data.train) == {row[:2] for row in train}
    assert pairs(data.without_validation().train) == {row[:2] for row in early}
    assert pairs(data.validation) == {row[:2] for row in late} - {row[:2] for row in early}


def test_the_last_day_of_a_pair_is_that_of_its_last_train_purchase(tmp_path: Path) -> None:
    rows = [(0, 3, 1), (0, 1, 2), (0, 3, 5), (0, 2, 6), (0, 3, 9), (1, 3, 4)]
    divide(tmp_path / "split", rows, own=set(range(8)))
    data = restrict(read_split(tmp_path / "split"), "all")
    assert data.last_day is not None
    days = {
        (int(u), data.item_ids[i]): int(day) for u, i, day in zip(*data.train.nonzero(), data.last_day, strict=True)
    }
    assert days == {(0, ITEM_IDS[1]): 2, (0, ITEM_IDS[2]): 6, (0, ITEM_IDS[3]): 5, (1, ITEM_IDS[3]): 4}


def test_cold_users_and_items_are_counted(tmp_path: Path) -> None:
    rows = [(0, 1, 1), (0, 2, 2), (1, 5, 3), (2, 1, 1), (2, 2, 2), (2, 6, 3)]
    divide(tmp_path / "split", rows, own={1, 2, 5}, few_purchases="study")
    counts = json.loads((tmp_path / "split/counts.json").read_text())
    assert counts["users"] == 3
    everything, original = counts["all"], counts["original"]
    assert (everything["train_purchases"], everything["test_purchases"]) == (3, 3)
    assert (everything["cold_users"], everything["test_purchases_of_cold_users"]) == (1, 1)
    assert (everything["cold_items"], everything["test_purchases_of_cold_items"]) == (2, 2)  # 5 and 6
    assert original["cold_items"] == 1


def test_repeats_may_be_dropped(tmp_path: Path) -> None:
    rows = [(0, 1, 3), (0, 1, 1), (0, 2, 2), (0, 1, 9), (0, 3, 4)]
    divide(tmp_path / "split", rows, own=set(range(8)), repeats="drop")
    assert read(tmp_path / "split", "train") == [(0, 1, 1), (0, 2, 2)]
    assert read(tmp_path / "split", "test") == [(0, 3, 4)]


def test_users_with_few_purchases_may_be_dropped(tmp_path: Path) -> None:
    divide(tmp_path / "split", [(0, 1, 3), (1, 1, 1), (1, 2, 2)], own=set(range(8)), few_purchases="drop")
    assert read(tmp_path / "split", "train") == [(1, 1, 1)]
    assert read(tmp_path / "split", "test") == [(1, 2, 2)]


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ({"min_purchases": 9}, "test"),
        ({"split": "date", "test_days": 50}, "train"),
        ({"min_purchases": 9, "few_purchases": "drop"}, "train"),
    ],
)
def test_an_empty_side_is_refused(tmp_path: Path, chosen: dict[str, Any], name: str) -> None:
    with pytest.raises(UserError, match=f"no purchase is left for {name}"):
        divide(tmp_path / "split", [(0, 1, 3), (0, 2, 4)], set(range(8)), **chosen)
    assert not (tmp_path / "split").exists()


def test_a_sample_has_its_own_users(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Purchases(*np.array([(user, user % 3, day) for user in range(40) for day in (1, 1, 2)], dtype=np.int32).T)
    monkeypatch.setitem(division.SAMPLES, "2M", 30)
    ids = np.array([f"u{user:02}" for user in range(40)], dtype=object)
    sample, sample_ids = division.draw_sample(whole, ids, params(sampling="2M"))
    assert len(sample) == 30
    assert sorted(set(sample.user)) == list(range(10))
    assert [int(name[1:]) % 3 for name in sample_ids[sample.user]] == sample.item.tolist()
    sparser, _ = division.draw_sample(whole, ids, params(sampling="2M", sampling_study=True))
    assert len(sparser) == 30
    assert len(set(sparser.user)) == 15  # two days each: the second purchase of day 1 is lost
    assert division.draw_sample(whole, ids, params())[0] is whole


def test_the_studys_sampling_needs_a_sample() -> None:
    with pytest.raises(ValueError, match="sampling_study: true needs sampling 10M or 2M"):
        params(sampling_study=True)


def test_an_item_twice_is_refused(empty_study: Path) -> None:
    folder = empty_study / "data/prepared"
    write_inputs(folder, BASKET, ITEMS)
    table = pd.read_parquet(folder / "items.parquet")
    pd.concat([table, table.tail(1)]).to_parquet(folder / "items.parquet")
    with pytest.raises(UserError, match="1 item ids come more than once, first 0000000004"):
        interactions.main()
