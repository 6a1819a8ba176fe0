"""Test the comparisons of a family: p, its correction, what is claimed, and what could have been."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from lookbook.comparison.clusters import Differences, estimate_difference, find_error
from lookbook.comparison.correction import holm
from lookbook.comparison.families import Pair
from lookbook.comparison.power import find_detectable, find_margin
from lookbook.comparison.randomisation import Randomisation, randomise_texts
from lookbook.comparison.ranked import REMEDY
from lookbook.comparison.rows import Row
from lookbook.comparison.settings import Compare
from pipeline.core.errors import UserError

ALPHA = 0.05
RANKED_AGAIN = 0.01  # share of NDCG that scores which tie but for rounding may move when they are computed again


def complete_family(
    pairs: Sequence[Pair],
    compared: Sequence[tuple[Row, Differences]],
    relevant: sp.csr_matrix,
    settings: Compare,
) -> list[Row]:
    """Test comparisons that are corrected together by Holm, and complete their rows.

    Args:
        pairs: The comparisons.
        compared: Their rows without a test, and their differences.
        relevant: (n_users, n_arrivals), the arrivals that users bought.
        settings: How many draws of how many users, and the seed.

    Raises:
        UserError: The factors of a ranking rank otherwise than the ranking did.
    """
    rows = []
    for pair, (row, differences) in zip(pairs, compared, strict=True):
        swaps, users = None, draw_users(relevant.shape[0], settings)
        if pair.a.ranking == pair.b.ranking:
            swaps = _swap_texts(pair, row, users, relevant, settings)
        rows.append(row | _describe_test(pair, row, differences, swaps, len(users), len(pairs)))
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p
        row["claimed"] = p < ALPHA and (row["low"] > 0 or row["high"] < 0)
    return rows


def draw_users(n_users: int, settings: Compare) -> np.ndarray:
    """Return the users whose lists are ranked again: all, or a sample where they are many; ascending."""
    if n_users <= settings.swap_users:
        return np.arange(n_users)
    return np.sort(np.random.default_rng(settings.seed).choice(n_users, settings.swap_users, replace=False))


def _swap_texts(pair: Pair, row: Row, users: np.ndarray, relevant: sp.csr_matrix, settings: Compare) -> Randomisation:
    """Swap the texts of a pair's arms, in the lists of some users."""
    ranking, cutoff = pair.a.ranking, int(row["metric"].rpartition("_")[2])
    runs = ranking.read_texts(pair.a.source, pair.b.source, users)
    swaps = randomise_texts(runs, relevant[users], ranking.products, cutoff, settings.swaps, settings.seed)
    hits = [ranking.read_hits(arm.source).of_users(users) for arm in (pair.a, pair.b)]
    a, b = (own.contribution.sum() / len(users) / len(ranking.runs) for own in hits)
    if abs(swaps.difference - (a - b)) > RANKED_AGAIN * max(a, b):
        raise UserError(
            f"{ranking.folder}/factors.safetensors: ranks {pair.a.source} and {pair.b.source} {swaps.difference:.4f} "
            f"apart, but contributions.parquet {a - b:.4f}; {REMEDY}"
        )
    return swaps


def _describe_test(
    pair: Pair, row: Row, differences: Differences, swaps: Randomisation | None, n_users: int, n_tests: int
) -> Row:
    """Return what a test adds to its row."""
    tested: Row = {"family": pair.family, "confirmatory": True, "p": estimate_difference(differences).p}
    if swaps is not None:
        tested |= {"p": swaps.p, "draws": len(swaps.swapped), "draw_users": n_users}
    if row["detectable"]:  # else the arms are equal, or nothing is known
        tested["detectable"] = find_smallest_claim(differences, swaps, n_tests)
    return tested


def find_smallest_claim(differences: Differences, swaps: Randomisation | None, n_tests: int) -> float:
    """Return the smallest true difference that is claimed with a power of 80 %.

    It must pass both limits: that of p, corrected for the tests of its family, and that of the interval. How much a
    difference varies is what the swaps say, where there are any: clusters leave out that products compete for places,
    and say too much. The variance of the swaps also holds the difference itself, spread over the products.
    """
    error, freedom = find_error(differences)
    if swaps is None:
        return find_detectable(find_margin(error, freedom, n_tests), error, freedom)
    own = swaps.difference**2 / len(np.unique(differences.product))
    spread = float(np.sqrt(max(swaps.spread**2 - own, 0.0)))
    limit = max(find_margin(error, freedom), swaps.find_limit(ALPHA / n_tests))
    return find_detectable(limit, spread, freedom) if spread > 0 else limit
