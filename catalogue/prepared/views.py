"""Further pictures of an item, beside its first: their names, and the mean of what is computed of all of them.

With `catalogue_prepare.images: all` they are packed beside the first picture. Image features are the mean over all
pictures of an item; captioners see the first.
"""

from collections.abc import Callable, Container, Sequence
from itertools import accumulate, count, takewhile

import numpy as np

SEPARATOR = "\x1f"  # between an item's id and the number of a further picture: a control character that no id has


def name_view(item: str, number: int) -> str:
    """Name a picture of an item, from 1; the first has the item's id."""
    return item if number == 1 else f"{item}{SEPARATOR}{number}"


def name_item(picture: str) -> str:
    """Return the id of the item that a picture is of.

    >>> name_item(name_view("7", 2))
    '7'
    """
    return picture.partition(SEPARATOR)[0]


def list_views(item: str, pictures: Container[str]) -> list[str]:
    """List the names of an item's pictures, the first of them whether it is there or not.

    >>> list_views("7", {"7", name_view("7", 2), name_view("8", 2)}) == ["7", name_view("7", 2)]
    True
    """
    return [item, *takewhile(lambda name: name in pictures, (name_view(item, number) for number in count(2)))]


def average_views(
    items: Sequence[str], pictures: Container[str], compute: Callable[[Sequence[str]], tuple[np.ndarray, ...]]
) -> tuple[np.ndarray, ...]:
    """Compute features of items: of each the mean over its pictures.

    Args:
        items: Their ids.
        pictures: The names of all pictures there are.
        compute: names of pictures -> arrays of (n_pictures, …) float32.

    Returns:
        Arrays of (n_items, …) float32; where every item has one picture, as `compute` gives them.
    """
    views = [list_views(item, pictures) for item in items]
    names = [name for own in views for name in own]
    arrays = compute(names)
    if len(names) == len(items):
        return arrays
    first = list(accumulate((len(own) for own in views[:-1]), initial=0))
    sizes = np.array([len(own) for own in views])
    return tuple(
        (np.add.reduceat(array, first, axis=0, dtype=np.float64) / sizes.reshape(-1, *[1] * (array.ndim - 1))).astype(
            np.float32
        )
        for array in arrays
    )
