"""Errors that a user can act on: their message is shown without a traceback."""

from collections.abc import Sequence

SHOWN = 5  # wrong ids or values that a message names


class UserError(Exception):
    """Reports bad input or a bad environment: names file, key and value, what is allowed, and what to do."""


def first_five(values: Sequence[object]) -> str:
    """Join the first five values for a message.

    >>> first_five([1, 2, 3, 4, 5, 6])
    '1, 2, 3, 4, 5, …'
    """
    return ", ".join(map(str, values[:SHOWN])) + (", …" if len(values) > SHOWN else "")
