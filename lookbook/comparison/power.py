"""The smallest difference that a comparison could have shown (Bloom 1995, "Minimum detectable effects")."""

from scipy.special import nctdtrinc, stdtrit

from lookbook.comparison.significance import LEVEL, POWER


def find_margin(error: float, freedom: float, n_tests: int = 1) -> float:
    """Return how far a difference must be from zero for a t-test at 5 %, corrected for a number of tests.

    >>> round(find_margin(1, 1e6), 3)
    1.96

    Args:
        error: the standard error of the difference.
        freedom: the degrees of freedom behind it.
        n_tests: the tests of the family: the first step of Holm's correction.
    """
    return float(error * stdtrit(freedom, 1 - (1 - LEVEL) / 2 / n_tests))


def find_detectable(margin: float, spread: float, freedom: float) -> float:
    """Return the smallest true difference that is beyond a margin with a power of 80 %.

    The margin is a multiple of an estimated error, so that the difference over it is noncentral t. For a plain t-test
    the spread is the standard error itself, the margin that of `find_margin`:

    >>> [round(find_detectable(find_margin(1, freedom), 1, freedom), 3) for freedom in (1e6, 99, 2)]
    [2.802, 2.829, 5.653]

    Args:
        margin: how far the difference must be from zero to be claimed.
        spread: the standard deviation of the difference.
        freedom: the degrees of freedom of the error that the margin is made of.
    """
    return float(spread * nctdtrinc(freedom, 1 - POWER, margin / spread))
