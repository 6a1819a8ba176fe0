"""The floor under caption scores: captions given to the wrong items."""

from collections.abc import Mapping

import numpy as np

SEED = 0  # fixed: the floor moves with the captions only


def wrong_items(groups: Mapping[str, int]) -> dict[str, str]:
    """For every item another one, of another group; each is taken once. Empty where no such exchange exists.

    The groups are put in a random order, fixed by SEED; then every item gets the one that stands as many places on as the
    largest group has items, which is outside its own group on either side.

    Args:
        groups: item -> group.
    """
    labels, sizes = np.unique(np.array(list(groups.values()), dtype=np.int64), return_counts=True)
    if not len(labels) or 2 * sizes.max() > len(groups):
        return {}
    place = dict(zip(labels.tolist(), np.random.default_rng(SEED).permutation(len(labels)).tolist(), strict=True))
    ordered = sorted(groups, key=lambda item: (place[groups[item]], item))
    step = int(sizes.max())
    return dict(zip(ordered, ordered[step:] + ordered[:step], strict=True))
