"""What a round shows to whom: proportions, independent units, balance, repeats; and nothing depends on the machine."""

from collections import Counter
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookbook.ratings.design import (
    Presentation,
    count_planned,
    draw_items,
    hash_caption,
    list_candidates,
    list_pairs,
    list_presentations,
)
from lookbook.ratings.rounds import Round

ARMS = ("x-ft", "x-pt", "y-ft")


def make_items(n: int, per_product: int = 2) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": [f"{number:04}" for number in range(n)],
            "group": [number // per_product for number in range(n)],
            "category": [("shirt", "dress", "dress", None)[number // per_product % 4] for number in range(n)],
            "split": "test",
        }
    )


def make_captions(items: pd.DataFrame, equal: int = 0) -> dict[str, dict[str, str]]:
    """Captions of which each `equal`-th is the same in every arm, but for white space."""
    ids = list(items["item_id"])
    return {
        arm: {
            item: f" same {item}" + " " * len(arm) if equal and int(item) % equal == 0 else f"{arm} {item}"
            for item in ids
        }
        for arm in ARMS
    }


ITEMS = make_items(400)
CAPTIONS = make_captions(ITEMS)
ROUND = Round(a="x-ft", b="x-pt")


def test_candidates_are_test_items_with_a_caption_in_every_arm() -> None:
    items = make_items(6).assign(split=["test", "train", "test", "test", "validation", "test"])
    captions = {arm: dict.fromkeys(items["item_id"], "words") for arm in ARMS}
    del captions["x-pt"]["0003"]
    assert list(list_candidates(items, captions, ["x-ft", "x-pt"])["item_id"]) == ["0000", "0002", "0005"]
    assert list_candidates(items, captions, ["x-ft", "x-pt"])["category"].tolist()[-1] == "dress"


@given(n=st.integers(1, 250), seed=st.integers(0, 99), strata=st.sampled_from(["category", "none"]))
@settings(max_examples=15, deadline=None)
def test_one_garment_of_a_product_is_drawn_and_categories_in_proportion(n: int, seed: int, strata: str) -> None:
    candidates = list_candidates(ITEMS, CAPTIONS, ["x-ft", "x-pt"])
    drawn = draw_items(candidates, n, seed, strata)
    assert len(drawn) == min(n, 200)
    assert drawn["group"].is_unique
    if strata == "category":
        counts = drawn["category"].value_counts()
        for category, share in {"dress": 0.5, "shirt": 0.25, "unknown": 0.25}.items():
            assert abs(counts.get(category, 0) - share * len(drawn)) < 1
    assert draw_items(candidates, n, seed, strata).equals(drawn)


def test_another_seed_draws_other_garments() -> None:
    candidates = list_candidates(ITEMS, CAPTIONS, ["x-ft", "x-pt"])
    one, other = (set(draw_items(candidates, 50, seed, "category")["item_id"]) for seed in (1, 2))
    assert len(one & other) < 40


def test_garments_with_equal_captions_are_drawn_as_well_but_not_shown() -> None:
    captions = make_captions(ITEMS, equal=4)
    pairs, others = list_pairs(ROUND, ITEMS, captions), list_pairs(ROUND, ITEMS, CAPTIONS)
    assert [pair.item_id for pair in pairs] == [pair.item_id for pair in others]
    equal = {pair.item_id for pair in pairs if pair.equal}
    assert equal == {pair.item_id for pair in pairs if int(pair.item_id) % 4 == 0} != set()
    shown = list_presentations(ROUND, pairs, "ann")
    assert {one.item_id for one in shown} == {pair.item_id for pair in pairs} - equal
    n = len(pairs) - len(equal)
    assert count_planned(ROUND, pairs) == len(shown) == n + round(0.1 * n)


@pytest.mark.parametrize("rater", ["ann", "Zoë", "", "<b>", "ann\x1f"])
@pytest.mark.parametrize("n", [4, 7, 41, 100])
def test_of_four_pairs_in_a_row_two_have_the_first_arm_on_the_left(rater: str, n: int) -> None:
    own = ROUND.model_copy(update={"items": n, "repeats": 0.0})
    pairs = list_pairs(own, ITEMS, CAPTIONS)
    shown = list_presentations(own, pairs, rater)
    left = [one.left == "x-ft" for one in shown]
    for start in range(0, n - n % 4, 4):
        assert sum(left[start : start + 4]) == 2
    assert abs(sum(left) - n / 2) <= 1.5


def test_sides_within_a_block_are_not_always_the_same() -> None:
    pairs = list_pairs(ROUND, ITEMS, CAPTIONS)
    own = ROUND.model_copy(update={"repeats": 0.0})
    blocks = Counter()
    for rater in range(40):
        left = [one.left == "x-ft" for one in list_presentations(own, pairs, str(rater))]
        blocks.update(tuple(left[start : start + 4]) for start in range(0, 100, 4))
    assert len(blocks) == 6  # all ways to choose two of four
    assert min(blocks.values()) > 1000 / 6 - 50


def test_each_rater_has_an_order_of_their_own() -> None:
    pairs = list_pairs(ROUND, ITEMS, CAPTIONS)
    ann, bob = (list_presentations(ROUND, pairs, rater) for rater in ("ann", "bob"))
    assert [one.item_id for one in ann] != [one.item_id for one in bob]
    assert {one.item_id for one in ann} == {one.item_id for one in bob}
    assert ann == list_presentations(ROUND, list(pairs), "ann")
    same_side = sum({(one.item_id, one.left) for one in bob} >= {(one.item_id, one.left)} for one in ann)
    assert 30 < same_side < 80


def test_some_pairs_come_again_later_with_sides_swapped() -> None:
    shown = list_presentations(ROUND, list_pairs(ROUND, ITEMS, CAPTIONS), "ann")
    repeats = [(index, one) for index, one in enumerate(shown) if one.again]
    assert len(repeats) == 10
    assert len({(one.item_id, one.again) for one in shown}) == len(shown) == 110
    assert min(index for index, _ in repeats) >= 50
    assert any(not shown[one + 1].again for one, _ in repeats if one + 1 < 110)  # they do not all stand at the end
    for index, one in repeats:
        first = next(place for place, other in enumerate(shown) if other.item_id == one.item_id)
        assert first < index
        assert shown[first] == Presentation(one.item_id, 0, one.right, one.left)


def test_raters_share_what_not_all_judge() -> None:
    own = Round(a="x-ft", b="x-pt", overlap=30, raters=3, repeats=0.0)
    pairs = list_pairs(own, ITEMS, CAPTIONS)
    shares = [{one.item_id for one in list_presentations(own, pairs, f"rater {seat}", seat)} for seat in range(3)]
    assert set.union(*shares) == {pair.item_id for pair in pairs}
    counts = Counter(item for share in shares for item in share)
    assert Counter(counts.values()) == {3: 30, 1: 70}
    assert count_planned(own, pairs) == 3 * 30 + 70


def test_each_pair_of_arms_has_as_many_garments() -> None:
    own = Round(a="x-ft", b="x-pt", others=["y-ft"], questions=["right", "complete"])
    pairs = list_pairs(own, ITEMS, CAPTIONS)
    counts = Counter((pair.a, pair.b) for pair in pairs)
    assert sorted(counts.values()) == [33, 33, 34]
    assert set(counts) == {("x-ft", "x-pt"), ("x-ft", "y-ft"), ("x-pt", "y-ft")}
    assert count_planned(own, pairs) == 2 * 110


def test_a_hash_does_not_see_white_space_at_the_ends() -> None:
    assert hash_caption(" a red shirt\n") == hash_caption("a red shirt") != hash_caption("a  red shirt")


def test_the_design_of_a_round_is_the_same_on_every_machine() -> None:
    shown = list_presentations(ROUND, list_pairs(ROUND, ITEMS, CAPTIONS), "ann")
    assert hash_caption(repr([tuple(one) for one in shown]))[:12] == "8426f1dd0f4b"
    assert all(one.item_id != other.item_id for one, other in pairwise(shown))
