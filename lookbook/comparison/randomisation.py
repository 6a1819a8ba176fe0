"""Randomisation test of two texts of the same items in one fitted recommender (Fisher 1935, The Design of Experiments).

The sharp null: within a product the two texts are exchangeable, given the fitted models and the purchases. A draw swaps
the texts of whole products by a fair coin, ranks the items again with the scores that the models give each text, and
takes the mean difference of NDCG over users and runs. p = (1 + draws at least as large in absolute value) / (1 + draws)
(Phipson and Smyth 2010); a draw that equals the difference within rounding counts as large.

Items compete for the places of a list, so swapping the hits of finished lists would be another test, of the wrong
level. Ranking again is cheap, and exact, in this way: both texts of every item are sorted by score once for each user.
In a draw an item has one of its two texts, so the list is the beginning of that order without the texts that the coins
leave out, and a text's place is the number of texts before it that are in: a sparse matrix (texts before it, by
product) times the coins. A prefix of the order will do; where a draw leaves less than a list of it, for one side or the
other, a longer prefix is taken, up to the whole order.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recsys.ranking.dense import rank_columns

PREFIX = 64  # texts of a user's order that are tried first
LONGER = 4  # how many times as long the next try is
BLOCK_CELLS = 4_000_000  # scores, or places in draws, held at once: 16 to 32 MB
ROUNDING = 1e-12  # NDCG within which two differences are the same


@dataclass(frozen=True)
class TwoTexts:
    """What one fitted model makes of both texts of every item: score(u, i) = users[u] · text[i] + bias[i], float32.

    Attributes:
        users: (n_users, width).
        a: (n_items, width), the first text.
        b: (n_items, width), the second text.
        bias_a: (n_items,).
        bias_b: (n_items,).
    """

    users: np.ndarray
    a: np.ndarray
    b: np.ndarray
    bias_a: np.ndarray
    bias_b: np.ndarray


@dataclass(frozen=True)
class Randomisation:
    """The outcome of a test.

    Attributes:
        difference: the mean difference a − b over users and runs, as ranked here.
        swapped: the same in each draw, (n_draws,).
    """

    difference: float
    swapped: np.ndarray

    @property
    def p(self) -> float:
        """Return the two-sided p, never 0."""
        n_large = int((np.abs(self.swapped) >= abs(self.difference) - ROUNDING).sum())
        return (1 + n_large) / (1 + len(self.swapped))

    @property
    def spread(self) -> float:
        """Return the standard deviation of the difference under the null, around 0."""
        return float(np.sqrt(np.mean(self.swapped**2)))

    def find_limit(self, level: float) -> float:
        """Return the size that a difference must pass for a p below a level; infinite where no draw could show it.

        >>> Randomisation(0.0, np.arange(1, 100)).find_limit(0.05)
        96.0
        >>> Randomisation(96.0, np.arange(1, 100)).p, Randomisation(97.0, np.arange(1, 100)).p
        (0.05, 0.04)
        """
        n_large = math.ceil(level * (1 + len(self.swapped)) - 1e-9) - 2  # the most draws as large that p may have
        return float(np.sort(np.abs(self.swapped))[-1 - n_large]) if n_large >= 0 else math.inf


def randomise_texts(
    runs: Iterable[TwoTexts], relevant: sp.csr_matrix, product: np.ndarray, cutoff: int, draws: int, seed: int
) -> Randomisation:
    """Test the difference of two texts by swapping those of whole products.

    Args:
        runs: the fitted models, with the same users and items.
        relevant: (n_users, n_items) binary; every user has a relevant item.
        product: (n_items,) the product of each item, any labels.
        cutoff: how many places a list has.
        draws: how many swaps.
        seed: what the coins are drawn from.
    """
    _, codes = np.unique(product, return_inverse=True)
    coins = draw_coins(int(codes.max()) + 1, draws, seed)
    difference, swapped, n_runs = 0.0, np.zeros(draws), 0
    for run in runs:
        own, others = sum_differences(run, relevant, codes, coins, cutoff)
        difference, swapped, n_runs = difference + own, swapped + others, n_runs + 1
    difference, swapped = difference / (n_runs * relevant.shape[0]), swapped / (n_runs * relevant.shape[0])
    return Randomisation(difference, swapped)


def draw_coins(n_products: int, draws: int, seed: int) -> np.ndarray:
    """Draw a coin for each product and draw: (n_products, draws) float32."""
    return (np.random.default_rng(seed).random((n_products, draws), dtype=np.float32) < 0.5).astype(np.float32)


def sum_differences(
    run: TwoTexts, relevant: sp.csr_matrix, product: np.ndarray, coins: np.ndarray, cutoff: int
) -> tuple[float, np.ndarray]:
    """Sum the difference of NDCG between the two lists over the users.

    Args:
        run: a fitted model.
        relevant: (n_users, n_items) binary; every user has a relevant item.
        product: (n_items,) rows of `coins`.
        coins: (n_products, n_draws) float32; 0: the first list has text a and the second text b, 1: the other way.
        cutoff: how many places a list has.

    Returns:
        With text a on the first list and b on the second, and in each draw: (n_draws,).
    """
    ideal = np.cumsum(list_discounts(cutoff, cutoff))
    weight = 1 / ideal[np.minimum(np.diff(relevant.indptr), cutoff) - 1]
    own, swapped = 0.0, np.zeros(coins.shape[1])
    for users, scores in iterate_scores(run):
        bought = relevant[users]
        block = _Block(scores, bought.toarray() > 0, weight[users], product)
        first, second = (sum_gain(scores[:, text::2], bought, weight[users], cutoff) for text in (0, 1))
        own += first - second
        swapped += _sum_block(block, coins, cutoff, PREFIX)
    return own, swapped


def iterate_scores(run: TwoTexts) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield a block of users and their scores of both texts of every item: (n_block, 2 n_items) float32.

    Column 2 i is text a of item i, column 2 i + 1 its text b, so that ties go to the lower item. Texts of the same
    vector are multiplied once: their scores are equal to the last bit wherever they stand.
    """
    n_items = len(run.a)
    texts = np.stack([np.column_stack([run.a, run.bias_a]), np.column_stack([run.b, run.bias_b])], axis=1)
    texts = texts.reshape(2 * n_items, -1)
    different, where = np.unique(texts, axis=0, return_inverse=True)
    in_order = len(different) == len(texts)
    different = texts if in_order else different
    vectors, bias = np.ascontiguousarray(different[:, :-1].T), different[:, -1]
    size = max(1, BLOCK_CELLS // (2 * n_items))
    for start in range(0, len(run.users), size):
        users = slice(start, start + size)
        scores = run.users[users] @ vectors + bias
        yield users, scores if in_order else scores[:, where]


def list_discounts(cutoff: int, size: int) -> np.ndarray:
    """Return 1 / log2(place + 1) by the number of items before a place, 0 from the cutoff on: (size,)."""
    before = np.arange(size)
    return np.where(before < cutoff, 1 / np.log2(before + 2), 0.0)


@dataclass(frozen=True)
class _Block:
    """Some users.

    Attributes:
        scores: (n_users, 2 n_items), see `iterate_scores`.
        bought: (n_users, n_items) bool.
        weight: (n_users,), 1 / the discounted gain of the best list.
        product: (n_items,) rows of the coins.
    """

    scores: np.ndarray
    bought: np.ndarray
    weight: np.ndarray
    product: np.ndarray

    def of_users(self, users: np.ndarray) -> "_Block":
        """Return these users: (n,) bool."""
        return _Block(self.scores[users], self.bought[users], self.weight[users], self.product)


def sum_gain(scores: np.ndarray, relevant: sp.csr_matrix, weight: np.ndarray, cutoff: int) -> float:
    """Sum NDCG over users when every item has one text.

    Args:
        scores: (n_users, n_items).
        relevant: (n_users, n_items) binary.
        weight: (n_users,), 1 / the discounted gain of the best list.
        cutoff: how many places a list has.
    """
    user, item = relevant.nonzero()
    nth = np.arange(len(user)) - np.repeat(relevant.indptr[:-1], np.diff(relevant.indptr))  # of the user's items
    discounts, total = list_discounts(cutoff, scores.shape[1]), 0.0
    for n in range(nth.max(initial=-1) + 1):
        rows, items = user[nth == n], item[nth == n]
        others, own = scores[rows], scores[rows, items][:, None]
        before = np.count_nonzero(others > own, axis=1)
        tied = np.flatnonzero(np.count_nonzero(others >= own, axis=1) > before + 1)
        is_lower = np.arange(scores.shape[1]) < items[tied, None]
        before[tied] += np.count_nonzero((others[tied] == own[tied]) & is_lower, axis=1)
        total += float(weight[rows] @ discounts[before])
    return total


class _Prefixes:
    """The best texts of each user, and how many of them are in before a place when coins fall."""

    def __init__(self, block: _Block, length: int) -> None:
        texts, _ = rank_columns(block.scores, length)
        self.item, self.second = texts >> 1, texts & 1
        self.product = block.product[self.item]
        self.first_before = np.pad(np.cumsum(1 - self.second, axis=1), ((0, 0), (1, 0)))  # (n_users, length + 1)

    def count_in(self, user: np.ndarray, place: np.ndarray, coins: np.ndarray) -> np.ndarray:
        """Count the texts of the first list before a place of a user's order: (n, n_draws) int64.

        Those of the second list are all others before it.

        Args:
            user: (n,) rows.
            place: (n,) counted from 0.
            coins: (n_products, n_draws).
        """
        bounds = np.append(0, np.cumsum(place))
        before = np.arange(bounds[-1]) - np.repeat(bounds[:-1], place)
        owner = np.repeat(user, place)
        change = np.where(self.second[owner, before], np.float32(1), np.float32(-1))  # when the coin is 1
        changes = sp.csr_matrix((change, self.product[owner, before], bounds), shape=(len(user), len(coins)))
        changes.sum_duplicates()
        changes.eliminate_zeros()  # a product with both texts before the place
        return self.first_before[user, place][:, None] + (changes @ coins).astype(np.int64)


def _sum_block(block: _Block, coins: np.ndarray, cutoff: int, length: int) -> np.ndarray:
    n_texts = block.scores.shape[1]
    prefixes = _Prefixes(block, min(length, n_texts))
    enough = np.ones(len(block.scores), dtype=bool)
    if length < n_texts:
        for users in _parts(np.arange(len(enough)), coins):
            counts = prefixes.count_in(users, np.full(len(users), length), coins)
            enough[users] = ((counts >= cutoff) & (length - counts >= cutoff)).all(axis=1)
    total = _sum_prefixes(block, prefixes, enough, coins, cutoff)
    if not enough.all():
        total += _sum_block(block.of_users(~enough), coins, cutoff, length * LONGER)
    return total


def _sum_prefixes(block: _Block, prefixes: _Prefixes, enough: np.ndarray, coins: np.ndarray, cutoff: int) -> np.ndarray:
    bought = np.take_along_axis(block.bought, prefixes.item, axis=1) & enough[:, None]
    user, place = np.nonzero(bought)
    discounts = list_discounts(cutoff, prefixes.item.shape[1])
    total = np.zeros(coins.shape[1])
    for hits in _parts(np.arange(len(user)), coins):
        rows, places = user[hits], place[hits]
        second, product = prefixes.second[rows, places][:, None], prefixes.product[rows, places]
        counts = prefixes.count_in(rows, places, coins)
        gain = np.where(second == coins[product], discounts[counts], -discounts[places[:, None] - counts])
        total += block.weight[rows] @ gain
    return total


def _parts(rows: np.ndarray, coins: np.ndarray) -> Iterator[np.ndarray]:
    """Yield parts of the rows whose counts in all draws are held at once."""
    size = max(1, BLOCK_CELLS // coins.shape[1])
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
