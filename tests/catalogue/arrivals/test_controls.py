"""The controls: no caption stays with its product, and exactly the stated share of words is replaced."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.arrivals.controls import deal_to_other_products, replace_words
from pipeline.core.errors import UserError

WORDS = st.lists(st.sampled_from(["a", "soft", "red", "knit", "with", "two"]), max_size=12)


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(0, 99))
def test_every_caption_is_dealt_once_and_none_to_its_own_product(products: list[int], seed: int) -> None:
    if 2 * max(Counter(products).values()) > len(products):
        with pytest.raises(UserError, match=rf"one product has \d+ of {len(products)} arrivals"):
            deal_to_other_products(np.array(products), rng(seed))
        return
    deal = deal_to_other_products(np.array(products), rng(seed))
    assert sorted(deal.tolist()) == list(range(len(products)))
    assert all(products[giver] != products[taker] for taker, giver in enumerate(deal.tolist()))


def test_a_deal_is_repeatable_and_parts_the_items_of_a_product() -> None:
    products = np.repeat(np.arange(100), 3)
    deal = deal_to_other_products(products, rng())
    np.testing.assert_array_equal(deal, deal_to_other_products(products, rng()))
    assert (deal != deal_to_other_products(products, rng(4))).any()
    givers = products[deal].reshape(100, 3)
    assert sum(len(set(some)) == 3 for some in givers.tolist()) > 90


@given(st.lists(WORDS, min_size=1, max_size=12), st.integers(1, 99), st.integers(0, 99))
def test_exactly_the_stated_share_of_each_text_is_replaced(split: list[list[str]], percent: int, seed: int) -> None:
    texts = [" ".join(words) for words in split]
    pool = {word for words in split for word in words}
    if len(pool) < 2:
        with pytest.raises(UserError, match=f"source replaced-{percent}: .* fewer than two different words"):
            replace_words(texts, percent, rng(seed))
        return
    replaced = [text.split() for text in replace_words(texts, percent, rng(seed))]
    for before, after in zip(split, replaced, strict=True):
        assert len(after) == len(before)
        assert sum(old != new for old, new in zip(before, after, strict=True)) == round(len(before) * percent / 100)
    assert {word for words in replaced for word in words} <= pool


@given(st.lists(WORDS, min_size=2, max_size=8), st.integers(1, 98), st.integers(0, 99))
def test_a_larger_share_replaces_the_same_words_and_more(split: list[list[str]], percent: int, seed: int) -> None:
    texts = [" ".join(words) for words in split]
    if len({word for words in split for word in words}) < 2:
        return
    small, large = (" ".join(replace_words(texts, share, rng(seed))).split() for share in (percent, percent + 1))
    before = " ".join(texts).split()
    assert all(new in (old, more) for old, new, more in zip(before, small, large, strict=True))
    assert all(new == more for old, new, more in zip(before, small, large, strict=True) if new != old)


def test_replacements_are_drawn_as_often_as_words_occur() -> None:
    texts = ["common common common rare"] * 2_000
    after = Counter(" ".join(replace_words(texts, 50, rng())).split())
    # Each of two words in four is replaced by the other one: half of 6,000 and half of 2,000 change sides.
    assert after["rare"] == pytest.approx(2_000 - 1_000 + 3_000, rel=0.05)
