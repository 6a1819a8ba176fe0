"""The smallest detectable difference against numerical integration and simulation."""

import numpy as np
import pytest
from scipy.stats import chi2, norm

from lookbook.comparison.power import find_detectable, find_margin


def integrate_power(difference: float, margin: float, spread: float, freedom: float) -> float:
    """Average, over the distribution of the error's estimate, the chance to be beyond the margin that it makes."""
    scale = np.sqrt(chi2.ppf((np.arange(20_000) + 0.5) / 20_000, freedom) / freedom)
    return float(norm.sf((margin * scale - difference) / spread).mean())


@pytest.mark.parametrize("freedom", [2, 5, 30.5, 99, 1e7])
@pytest.mark.parametrize("n_tests", [1, 3])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_four_of_five_are_found_at_the_smallest_difference(freedom: float, n_tests: int, share: float) -> None:
    """With a spread that is the error itself, and one that is smaller."""
    margin = find_margin(0.3, freedom, n_tests)
    assert integrate_power(0.0, margin, 0.3, freedom) == pytest.approx(0.025 / n_tests, rel=0.02)
    smallest = find_detectable(margin, 0.3 * share, freedom)
    assert integrate_power(smallest, margin, 0.3 * share, freedom) == pytest.approx(0.8, abs=0.001)
