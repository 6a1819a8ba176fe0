"""Simulates studies of new arrivals by their factors: what a fitted model makes of two texts of every garment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from lookbook.comparison.clusters import Differences
from lookbook.comparison.contributions import Hits, compare_hits, pair_runs
from lookbook.comparison.randomisation import TwoTexts
from recsys.ranking.dense import rank_columns
from recsys.scoring.contributions import find_hits

CUTOFF = 12
WIDTH = 16
GARMENTS = 2.5  # of a product
PURCHASES = 3.0  # of a user
FASHION = 6.0  # how much more everyone's taste weighs than one's own, where few garments are hit


@dataclass(frozen=True)
class Cell:
    """A kind of study.

    Attributes:
        products: their number.
        users: their number.
        pictures: whether a model also reads pictures, which are the same whatever the text, as with clip.
        few_hits: whether all users are shown nearly the same garments.
        runs: trained models.
    """

    products: int = 100
    users: int = 500
    pictures: bool = False
    few_hits: bool = False
    runs: int = 1


@dataclass(frozen=True)
class Trial:
    """One study: fitted models, purchases (n_users, n_garments), and the product of each garment."""

    runs: list[TwoTexts]
    relevant: sp.csr_matrix
    product: np.ndarray

    def swap(self, rng: np.random.Generator) -> "Trial":
        """Exchange the texts of whole products by a fair coin."""
        second = (rng.random(self.product.max() + 1) < 0.5)[self.product]
        runs = [
            TwoTexts(
                run.users,
                np.where(second[:, None], run.b, run.a),
                np.where(second[:, None], run.a, run.b),
                np.where(second, run.bias_b, run.bias_a),
                np.where(second, run.bias_a, run.bias_b),
            )
            for run in self.runs
        ]
        return Trial(runs, self.relevant, self.product)

    def compare(self) -> Differences:
        """Rank the garments by both texts, and compare the hits."""
        numbers = range(len(self.runs))
        n_products = int(self.product.max()) + 1
        first, second = self._find_hits(0), self._find_hits(1)
        pairs = pair_runs(numbers, numbers)
        return compare_hits(first, second, pairs, self.product, self.relevant.shape[0], n_products)[0]

    def _find_hits(self, side: int) -> Hits:
        parts = []
        for number, run in enumerate(self.runs):
            text, bias = (run.a, run.bias_a) if side == 0 else (run.b, run.bias_b)
            lists, _ = rank_columns(run.users @ text.T + bias, CUTOFF)
            hits = find_hits(lists, self.relevant, CUTOFF)
            parts.append((np.full(len(hits.row), number), *hits))
        return Hits(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def draw_trial(rng: np.random.Generator, cell: Cell, truth: Sequence[float] = (0.64, 0.24)) -> Trial:
    """Draw users, garments, purchases, two texts and fitted models.

    Garments of a product are alike, and so are the mistakes of their texts.

    Args:
        rng: the source of random numbers.
        cell: the kind of study.
        truth: the correlation of each text's vector with the true one; fine-tuned captions have about 0.64 and
            pre-trained ones 0.24 in the sample.
    """
    n_garments = int(GARMENTS * cell.products)
    product = np.sort(np.append(np.arange(cell.products), rng.integers(0, cell.products, n_garments - cell.products)))

    def draw_garments(alike: float) -> np.ndarray:
        common = rng.normal(size=(cell.products, WIDTH))[product]
        return alike * common + np.sqrt(1 - alike**2) * rng.normal(size=(n_garments, WIDTH))

    words, taste = draw_garments(0.9), rng.normal(size=(cell.users, WIDTH))
    pictures = 0.5 * words + 0.87 * draw_garments(0.9)
    relevant = _draw_purchases(rng, taste @ words.T + 0.5 * rng.normal(size=n_garments))
    texts = [share * words + np.sqrt(1 - share**2) * draw_garments(0.7) for share in truth]
    fashion = rng.normal(size=WIDTH) * (FASHION if cell.few_hits else 0.0)
    runs = []
    for _ in range(cell.runs):
        look = np.eye(WIDTH) + 0.25 * rng.normal(size=(WIDTH, WIDTH))
        liking = fashion + 0.3 * rng.normal(size=WIDTH)
        users = taste + 0.7 * rng.normal(size=taste.shape)
        vectors = [text @ look for text in texts]
        if cell.pictures:
            users = np.hstack([users, 0.7 * taste + 0.7 * rng.normal(size=taste.shape)])
            vectors = [np.hstack([vector, pictures]) for vector in vectors]
        arrays = [users, *vectors, *(text @ liking for text in texts)]
        runs.append(TwoTexts(*(array.astype(np.float32) for array in arrays)))
    return Trial(runs, relevant, product)


def _draw_purchases(rng: np.random.Generator, utility: np.ndarray) -> sp.csr_matrix:
    """Draw what users buy, most often what they like: one garment or more each."""
    counts = 1 + rng.poisson(PURCHASES - 1, len(utility))
    noisy = utility + 0.5 * np.sqrt(WIDTH) * rng.gumbel(size=utility.shape)
    lists, _ = rank_columns(noisy.astype(np.float32), int(counts.max()))
    user, place = np.nonzero(np.arange(lists.shape[1]) < counts[:, None])
    bought = sp.csr_matrix((np.ones(len(user), np.float32), (user, lists[user, place])), shape=utility.shape)
    bought.sort_indices()
    return bought
