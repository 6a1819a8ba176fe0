"""Splits: groups against a slow definition, shares of the parts, leakage, and the study's random split."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from catalogue.preparation.splits import (
    count_leaks,
    find_groups,
    split_at_random,
    split_by_group,
    split_by_launch,
    split_items,
)
from catalogue.readers.settings import CataloguePrepare
from pipeline.core.errors import UserError
from pipeline.core.params import REFERENCE, load

ITEMS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.none() | st.sampled_from("uvwxyz")), min_size=1, max_size=25)


def slow_groups(rows: list[tuple[str, str | None]]) -> list[set[int]]:
    """Merge sets of rows that share a code or a description until nothing changes."""
    sets = [{index} for index in range(len(rows))]

    def touch(first: set[int], second: set[int]) -> bool:
        return any(
            rows[i][0] == rows[j][0] or (rows[i][1] is not None and rows[i][1] == rows[j][1])
            for i in first
            for j in second
        )

    while pair := next(((a, b) for n, a in enumerate(sets) for b in sets[n + 1 :] if touch(a, b)), None):
        sets = [members for members in sets if members not in pair] + [pair[0] | pair[1]]
    return sets


@given(ITEMS)
def test_groups_are_the_connected_components(rows: list[tuple[str, str | None]]) -> None:
    table = pd.DataFrame(rows, columns=["product_code", "description"], dtype=object)
    group = find_groups(table["product_code"], table["description"])
    assert (group >= 0).all()
    components = {frozenset(np.flatnonzero(group == name).tolist()) for name in np.unique(group)}
    assert components == {frozenset(members) for members in slow_groups(rows)}


def test_a_chain_of_shared_codes_and_descriptions_is_one_group() -> None:
    group = find_groups(pd.Series(["1", "1", "2", "3"]), pd.Series(["a", "b", "b", None]))
    assert group.tolist() == [0, 0, 0, 1]


@given(st.lists(st.integers(1, 8), min_size=30, max_size=80), st.integers(0, 1000))
def test_no_group_in_two_parts_and_fair_shares(sizes: list[int], seed: int) -> None:
    group = np.repeat(np.arange(len(sizes)), sizes)
    part = split_by_group(group, seed)
    for name in np.unique(group):
        assert len(set(part[group == name])) == 1
    for name in ("test", "validation"):
        share = (part == name).sum()
        assert 0.1 * len(group) - 8 < share <= round(0.1 * len(group))
    assert set(part) <= {"train", "validation", "test"}


def test_a_grouped_split_leaks_nothing_and_another_seed_gives_another() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 150, 400)
    items = pd.DataFrame({"product_code": codes.astype(str), "description": [f"text {code % 130}" for code in codes]})
    group = find_groups(items["product_code"], items["description"])
    part = split_by_group(group, 1)
    assert count_leaks(items, part) == {"leaked_product_code": 0, "leaked_description": 0}
    assert (part == split_by_group(group, 1)).all()
    assert (part != split_by_group(group, 2)).any()
    assert count_leaks(items, split_at_random(len(items), 42))["leaked_product_code"] > 0


def test_a_huge_group_is_trained_on() -> None:
    group = np.concatenate([np.zeros(50, int), np.arange(1, 51)])
    assert set(split_by_group(group, 0)[:50]) == {"train"}


def test_products_that_are_kinds_leave_no_test_items_and_are_refused() -> None:
    """Such as a column of Women and Men that was taken for the product."""
    items = pd.DataFrame({"description": [f"text {item}" for item in range(20)], "original": True})
    params = CataloguePrepare(**load(REFERENCE)["catalogue_prepare"])
    kinds = items.assign(product_code=["Women", "Men"] * 10)
    with pytest.raises(UserError, match=r"data/raw/x: no item is left for validation and test: the 20 items are of 2 "):
        split_items(kinds, params, Path("data/raw/x"))
    own = items.assign(product_code=items["description"])
    assert split_items(own, params, Path("data/raw/x"))[0]["split"].value_counts().to_dict() == {
        **{"train": 16, "validation": 2, "test": 2},
    }


def test_leakage_counts_test_items() -> None:
    items = pd.DataFrame({"product_code": list("aabcd"), "description": ["x", "y", "x", "z", None]})
    part = np.array(["train", "test", "test", "test", "test"])
    assert count_leaks(items, part) == {"leaked_product_code": 1, "leaked_description": 1}


def test_the_random_split_is_the_studys() -> None:
    articles = pd.DataFrame({"article_id": [f"{number:010d}" for number in range(1000)]})
    shuffled = articles.sample(frac=1, random_state=42)
    train, rest = train_test_split(shuffled, test_size=0.2, random_state=42)
    validation, test = train_test_split(rest, test_size=0.5, random_state=42)
    part = split_at_random(1000, 42)
    for name, members in (("train", train), ("validation", validation), ("test", test)):
        assert set(articles["article_id"][part == name]) == set(members["article_id"])


@pytest.mark.parametrize(("name", "size"), [("train", 83_385), ("validation", 10_423), ("test", 10_424)])
def test_the_random_split_of_the_full_catalogue_has_the_published_sizes(name: str, size: int) -> None:
    assert (split_at_random(104_232, 42) == name).sum() == size


LAUNCHES = st.lists(st.tuples(st.integers(1, 8), st.none() | st.integers(0, 30)), min_size=1, max_size=80)


@given(LAUNCHES, st.integers(0, 1000))
def test_a_split_by_launch_is_a_run_of_the_order_of_first_sales(
    groups: list[tuple[int, int | None]], seed: int
) -> None:
    """Whole groups; test after validation after train; never more than a tenth; what cannot be dated is trained on."""
    sizes, days = [size for size, _ in groups], [np.nan if day is None else day for _, day in groups]
    group, day = np.repeat(np.arange(len(groups)), sizes), np.repeat(days, sizes)
    part = split_by_launch(group, day, seed)
    assert all(len(set(part[group == name])) == 1 for name in np.unique(group))
    share = round(0.1 * len(group))
    fits = np.repeat(np.array(sizes) <= share, sizes) & ~np.isnan(day)
    assert set(part[~fits]) <= {"train"}
    parts = {name: day[fits & (part == name)] for name in ("train", "validation", "test")}
    for earlier, later in (("train", "validation"), ("validation", "test"), ("train", "test")):
        assert parts[earlier].max(initial=-1) <= parts[later].min(initial=99)
    for name, rest in (("test", ("validation", "train")), ("validation", ("train",))):
        assert len(parts[name]) <= share
        if any(len(parts[other]) for other in rest):  # the next did not fit
            assert len(parts[name]) > share - 8


def test_products_of_one_day_are_cut_by_the_seed() -> None:
    group, day = np.arange(40), np.full(40, 3.0)
    part = split_by_launch(group, day, 1)
    assert (part == "test").sum() == (part == "validation").sum() == 4
    assert (part == split_by_launch(group, day, 1)).all()
    assert (part != split_by_launch(group, day, 2)).any()
