"""Which captions people prefer: net preference with its interval over products, and the exact sign test.

Net preference is (first arm better - second arm better) / judgements, ties as 0, mean of the raters of each garment,
mean over garments. Garments whose captions are equal are ties by construction, and count.
"""

from typing import Any

import numpy as np
from scipy.stats import binomtest

from lookbook.comparison.significance import Estimate, paired_means, wins_ties_losses


def estimate_preferences(values: np.ndarray, groups: np.ndarray, draws: int, seed: int) -> list[Estimate]:
    """Estimate the net preference of each column, by resampling products.

    Args:
        values: The mean value of each garment, from -1 to 1: (n_items, k).
        groups: The product of each garment: (n_items,).
        draws: The number of bootstrap draws.
        seed: The seed of the draws.
    """
    return paired_means(values, np.zeros_like(values), groups, draws, seed)


def compute_sign_test(values: np.ndarray) -> dict[str, Any]:
    """Count the garments on which one arm is preferred; p of the exact two-sided sign test, ties left out of it.

    >>> compute_sign_test(np.array([1.0, 1, 1, 1, 1, -1, 0]))
    {'wins': 5, 'ties': 1, 'losses': 1, 'p': 0.21875}
    """
    wins, ties, losses = wins_ties_losses(values, np.zeros_like(values))
    p = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    return {"wins": wins, "ties": ties, "losses": losses, "p": p}


def describe_preference(values: np.ndarray, groups: np.ndarray, draws: int, seed: int) -> dict[str, Any]:
    """Describe the net preference on some garments.

    Args:
        values: The mean value of each garment: (n_items,).
        groups: The product of each garment: (n_items,).
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        preference, low, high, p, detectable (absent with one product), items, and the sign test.
    """
    [estimate] = estimate_preferences(values[:, None], groups, draws, seed)
    figures = estimate._asdict()
    figures = {"preference": figures.pop("difference")} | figures
    known = {key: value for key, value in figures.items() if value is not None}
    return known | {"items": len(values), "sign_test": compute_sign_test(values)}
