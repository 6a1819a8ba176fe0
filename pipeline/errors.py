"""Errors that a user can act on: their message is shown without a traceback."""


class UserError(Exception):
    """Bad input or a bad environment. The message names file, key and value, what is allowed, and what to do."""
