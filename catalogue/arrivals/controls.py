"""Sources whose quality is known beforehand: captions dealt to wrong garments, and descriptions with wrong words."""

from collections.abc import Sequence

import numpy as np

from pipeline.core.errors import UserError

SWAPS = 10  # tried for each item


def deal_to_other_products(products: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal every item's caption to an item of another product, each caption once.

    The first deal is valid by itself: items are put in a random order that keeps products together, and each gets the
    caption as many places further on as the largest product has items. Pairs of captions are then swapped at random
    where both stay with another product, because the first deal moves a whole product to another one.

    Args:
        products: the product of each item, (n,).
        rng: draws the order and the swaps.

    Returns:
        For each item the item whose caption it gets, (n,) int64.

    Raises:
        UserError: one product has more than half of the items, so that no such deal exists.
    """
    _, product, counts = np.unique(products, return_inverse=True, return_counts=True)
    n, largest = len(product), int(counts.max())
    if 2 * largest > n:
        raise UserError(
            f"source shuffled: one product has {largest} of {n} arrivals, so that not every arrival can get a "
            "caption of another product; take `shuffled` out of `sources` in params.yaml"
        )
    place = rng.permutation(len(counts))[product]
    order = np.lexsort((rng.random(n), place))
    deal = np.empty(n, dtype=np.int64)
    deal[order] = np.roll(order, -largest)
    for left, right in rng.integers(n, size=(SWAPS * n, 2)):
        if product[deal[left]] != product[right] and product[deal[right]] != product[left]:
            deal[left], deal[right] = deal[right], deal[left]
    return deal


def replace_words(texts: Sequence[str], percent: int, rng: np.random.Generator) -> list[str]:
    """Replace round(percent %) of the words of each text by other words of the texts, drawn as often as they occur.

    What is drawn does not depend on `percent`: with an equal generator, a word that is replaced at 25 percent is
    replaced by the same word at 50. A replacement always differs from the word it replaces.

    Args:
        texts: words are what white space separates.
        percent: of the words of each text; Python's `round`.
        rng: draws places and words.

    Raises:
        UserError: all words are the same, so that none can be replaced.
    """
    split = [text.split() for text in texts]
    words = np.array([word for some in split for word in some], dtype=object)
    if len(set(words)) < 2:
        raise UserError(
            f"source replaced-{percent}: the descriptions of the arrivals have fewer than two different words; "
            "take it out of `sources` in params.yaml"
        )
    drawn = words[rng.integers(len(words), size=len(words))]
    while (same := drawn == words).any():
        drawn[same] = words[rng.integers(len(words), size=int(same.sum()))]
    rank = rng.random(len(words))
    start, replaced = 0, []
    for some in split:
        end = start + len(some)
        chosen = start + np.argsort(rank[start:end])[: round(len(some) * percent / 100)]
        text = words[start:end].copy()
        text[chosen - start] = drawn[chosen]
        replaced.append(" ".join(text))
        start = end
    return replaced
