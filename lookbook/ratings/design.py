"""The design of a round: which garments are judged, by whom, in which order, and on which side each caption stands.

All of it is a function of the round, the garments, their captions and the rater's name: nothing is stored, and two
machines show the same rater the same pairs. No pseudo-random generator of the process is used for what depends on a
rater: order and sides are sorted hashes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from lookbook.ratings.rounds import Round

BLOCK = 4  # pairs in a row, two of which have the first arm on the left
UNKNOWN = "unknown"  # the category of garments that have none

Captions = Mapping[str, Mapping[str, str]]  # arm -> item -> caption


class Pair(NamedTuple):
    """The two captions of a garment that are compared.

    Attributes:
        item_id: The garment.
        group: Its product: the independent unit.
        a: The arm whose preference counts as positive.
        b: The other arm.
        equal: Whether the captions are equal: a tie that nobody is asked about.
    """

    item_id: str
    group: int
    a: str
    b: str
    equal: bool


class Presentation(NamedTuple):
    """A pair as a rater sees it: the arms on the left and on the right; `again` is 1 where it comes again."""

    item_id: str
    again: int
    left: str
    right: str


def list_candidates(items: pd.DataFrame, captions: Captions, arms: Sequence[str]) -> pd.DataFrame:
    """List the garments that have a caption in every arm, sorted by id: item_id, group, category.

    Args:
        items: With columns item_id, group, category, split: those of the split `test` are candidates.
        captions: The captions of each arm.
        arms: The arms of a round.
    """
    both = set.intersection(*(set(captions[arm]) for arm in arms))
    candidates = items[items["split"].eq("test") & items["item_id"].isin(both)]
    candidates = candidates.assign(category=candidates["category"].fillna(UNKNOWN))
    return candidates.sort_values("item_id", ignore_index=True)[["item_id", "group", "category"]]


def draw_items(candidates: pd.DataFrame, n: int, seed: int, strata: str) -> pd.DataFrame:
    """Draw garments, one of a product, in proportion to the categories, in random order.

    Places that proportions leave over go to the categories with the largest remainders. What is drawn depends on the
    candidates and the seed alone, not on the captions.

    Args:
        candidates: Columns item_id, group, category.
        n: The number to draw; fewer where there are not so many products.
        seed: The seed of the draw.
        strata: category or none.
    """
    order = np.random.default_rng(seed).permutation(len(candidates))
    shuffled = candidates.iloc[order].drop_duplicates("group", ignore_index=True)
    n = min(n, len(shuffled))
    if strata == "none" or n == len(shuffled):
        return shuffled.head(n)
    sizes = shuffled["category"].value_counts().sort_index()
    exact = sizes * n / sizes.sum()
    quota = exact.astype(int)
    remainders = (exact - quota).sort_values(ascending=False, kind="stable")
    quota[remainders.index[: n - int(quota.sum())]] += 1
    rank = shuffled.groupby("category").cumcount()
    return shuffled[rank < quota.reindex(shuffled["category"]).to_numpy()].reset_index(drop=True)


def list_pairs(own: Round, items: pd.DataFrame, captions: Captions) -> list[Pair]:
    """List the pairs of a round, those with equal captions included.

    Args:
        own: The round.
        items: With columns item_id, group, category, split.
        captions: The captions of each arm.

    Returns:
        One pair for each garment that is drawn; with several pairs of arms, each has as many garments as the others,
        give or take one.
    """
    drawn = draw_items(list_candidates(items, captions, own.arms), own.items, own.seed, own.strata)
    pairs = []
    for index, (item, group) in enumerate(zip(drawn["item_id"], drawn["group"], strict=True)):
        a, b = own.pairs[index % len(own.pairs)]
        pairs.append(Pair(item, int(group), a, b, captions[a][item].strip() == captions[b][item].strip()))
    return pairs


def list_presentations(own: Round, pairs: Sequence[Pair], rater: str, seat: int = 0) -> list[Presentation]:
    """List what a rater sees, in order; sides are balanced in blocks of four, and repeats stand in the second half.

    Args:
        own: The round.
        pairs: All its pairs.
        rater: The rater's name, which shuffles order and sides.
        seat: The rater's number from 0: where not all judge every pair, it chooses this rater's share.
    """
    shown = [pair for pair in pairs if not pair.equal]
    if own.overlap != "all":
        shared, others = shown[: own.overlap], shown[own.overlap :]
        shown = shared + [pair for index, pair in enumerate(others) if index % own.raters == seat % own.raters]
    order = sorted(shown, key=lambda pair: _hash(own.seed, rater, pair.item_id, "order"))
    first = _choose_sides(order, own.seed, rater)
    half, n_repeats = len(first) // 2, round(own.repeats * len(first))
    by_hash = sorted(first[:half], key=lambda one: _hash(own.seed, rater, one.item_id, "repeat"))
    repeats = [Presentation(one.item_id, 1, one.right, one.left) for one in by_hash[:n_repeats]]
    rest = sorted(first[half:] + repeats, key=lambda one: _hash(own.seed, rater, one.item_id, f"rest {one.again}"))
    # Repeats are mixed into the second half, whose own pairs keep their order and so their balance of sides.
    own_order = iter(first[half:])
    return first[:half] + [one if one.again else next(own_order) for one in rest]


def count_planned(own: Round, pairs: Sequence[Pair]) -> int:
    """Count the judgements that a round is finished with: of all its raters, repeats and questions."""
    seats = (list_presentations(own, pairs, "", seat) for seat in range(own.raters))
    return sum(map(len, seats)) * len(own.questions)


def hash_caption(text: str) -> str:
    """Return the SHA-256 of a caption as it is shown: without white space at its ends."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


def _choose_sides(order: Sequence[Pair], seed: int, rater: str) -> list[Presentation]:
    """Put the first arm on the left in two of each four pairs; which two, a hash decides."""
    presentations = []
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        ranked = sorted(block, key=lambda pair: _hash(seed, rater, pair.item_id, "side"))
        on_left = {pair.item_id for pair in ranked[: len(block) // 2]}
        if len(block) % 2 and int(_hash(seed, rater, ranked[-1].item_id, "last"), 16) % 2:
            on_left.add(ranked[-1].item_id)
        for pair in block:
            left, right = (pair.a, pair.b) if pair.item_id in on_left else (pair.b, pair.a)
            presentations.append(Presentation(pair.item_id, 0, left, right))
    return presentations


def _hash(seed: int, rater: str, item: str, use: str) -> str:
    return hashlib.sha256("\x1f".join((str(seed), rater, item, use)).encode()).hexdigest()
