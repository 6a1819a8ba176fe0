"""The commands of `lookbook`, one file each.

User errors, and files that the system refuses, are one line on stderr and exit code 1, never a traceback.
"""

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

from pipeline.core.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command: errors that a user can act on become `error: …` and exit code 1.

    These are a UserError, and an OSError that names its file. Typer still sees the function's options.
    """

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None
        except OSError as error:
            name = error.filename2 or error.filename  # of two, the second is what was to be written
            if name is None:
                raise
            typer.echo(f"error: {os.fsdecode(name)}: {error.strerror}", err=True)
            raise typer.Exit(1) from None

    return guarded
