"""How many judgements an exact sign test needs, and what so many can show: two-sided at 5 %, power 80 %."""

from functools import lru_cache

import numpy as np
from scipy.stats import binom

LEVEL = 0.05
POWER = 0.8
SHARES = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8)  # of decided judgements that prefer one arm
MOST = 3000  # judgements that are tried


def find_power(decided: np.ndarray | int, share: np.ndarray | float) -> np.ndarray:
    """Return the probability that a sign test on so many decided judgements fires, if this share prefers one arm.

    >>> float(find_power(97, 0.65).round(3))
    0.834
    """
    critical = binom.ppf(LEVEL / 2, decided, 0.5)  # the largest count of the rarer side at which the test may fire
    critical -= 2 * binom.cdf(critical, decided, 0.5) > LEVEL
    return binom.cdf(critical, decided, share) + binom.sf(decided - critical - 1, decided, share)


@lru_cache(maxsize=64)
def find_decided(share: float) -> int:
    """Return the number of decided judgements from which on the power stays at 80 %.

    The power rises in steps that fall back, so the first number that reaches 80 % is smaller.

    >>> [find_decided(share) for share in (0.6, 0.65, 0.8)]
    [210, 97, 23]

    Raises:
        ValueError: the share is so near one half that more than `MOST` are needed.
    """
    weak = np.flatnonzero(find_power(np.arange(1, MOST + 1), share) < POWER)
    if len(weak) and weak[-1] == MOST - 1:
        raise ValueError(f"a share of {share} needs more than {MOST} decided judgements")
    return int(weak[-1]) + 2


def find_planned(share: float, ties: float) -> int:
    """Return the number of judgements to plan, of which a share will be ties.

    >>> find_planned(0.65, ties=0.1)
    108
    """
    return int(np.ceil(find_decided(share) / (1 - ties)))


def find_detectable(decided: int) -> float | None:
    """Return the smallest share, in hundredths, that so many decided judgements find with 80 % power; None: none.

    >>> find_detectable(97), find_detectable(3)
    (0.65, None)
    """
    shares = np.arange(51, 100) / 100
    enough = shares[find_power(decided, shares) >= POWER]
    return float(enough[0]) if decided and len(enough) else None


def list_power() -> dict[str, int]:
    """List the decided judgements that each share needs: `65 %` -> 97.

    >>> list_power()["65 %"]
    97
    """
    return {f"{100 * share:.0f} %": find_decided(share) for share in SHARES}
