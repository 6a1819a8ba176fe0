"""Errors that a user can act on: their message is shown without a traceback."""

from collections.abc import Sequence

SHOWN = 5  # wrong ids or values that a message names


class UserError(Exception):
    """Bad input or a bad environment. The message names file, key and value, what is allowed, and what to do."""


def first_five(values: Sequence[object]) -> str:
    """The first five, for a message."""
    return ", ".join(map(str, values[:SHOWN])) + (", …" if len(values) > SHOWN else "")
