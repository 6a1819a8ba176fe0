"""The commands of `lookbook`, one file each.

User errors are one line on stderr and exit code 1, never a traceback.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

from pipeline.core.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command: a UserError becomes `error: …` and exit code 1; typer still sees the function's options."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None

    return guarded
