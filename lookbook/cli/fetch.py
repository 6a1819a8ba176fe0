"""lookbook fetch corenlp: download now what a machine without a network will need later."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError


class What(StrEnum):
    """The downloads that there are."""

    corenlp = "corenlp"


@command
def fetch(
    what: Annotated[What, typer.Argument(help="corenlp: the parser of SPICE; downloads 385 MB and keeps 80")],
    to: Annotated[
        Path | None,
        typer.Option(help="folder to carry to another machine, where CORENLP names it (default: the user's cache)"),
    ] = None,
) -> None:
    """Download CoreNLP 3.6.0 for SPICE, once for all studies of this user; `dvc repro` and `lookbook score` find it."""
    from captioning.scores.java import corenlp
    from pipeline.core.outputs import new_folder
    from pipeline.destinations import check_folder

    folder = to or corenlp.user_folder()
    if corenlp.has_corenlp(folder):
        typer.echo(f"{what}: {folder} has it already")
        return
    check_folder("--to", folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: holds other files; name a new folder, or an empty one")
    with new_folder(folder) as partial:
        corenlp.fetch(partial)
    megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    hint = f"; to use it: export CORENLP={folder.resolve()}" if to else ""
    typer.echo(f"{what}: wrote {folder}, {megabytes:.0f} MB{hint}")
