"""lookbook fetch corenlp: fetches now what a machine without a network will need later."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from captioning.scores.java import corenlp
from lookbook.cli import command
from pipeline.core.errors import UserError


class What(StrEnum):
    """What can be fetched."""

    corenlp = "corenlp"


@command
def fetch(
    what: Annotated[What, typer.Argument(help="corenlp: what SPICE parses with, 385 MB of which 80 are kept")],
    to: Annotated[
        Path | None,
        typer.Option(help="a folder to carry to another machine (CORENLP names it there), not the user's cache"),
    ] = None,
) -> None:
    """Fetch CoreNLP 3.6.0 for SPICE, once for all studies of this user; `dvc repro` and `lookbook score` find it."""
    from pipeline.core.outputs import new_folder

    folder = to or corenlp.user_folder()
    if corenlp.has_corenlp(folder):
        typer.echo(f"{what}: {folder} has it already")
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: there is something else in it; name a new folder, or an empty one")
    with new_folder(folder) as partial:
        corenlp.fetch(partial)
    megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    hint = f"; `export CORENLP={folder.resolve()}` makes it known" if to else ""
    typer.echo(f"{what}: wrote {folder}, {megabytes:.0f} MB{hint}")
