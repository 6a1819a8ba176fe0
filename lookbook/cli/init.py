"""lookbook init --name NAME --items items.csv --images DIR [--purchases purchases.csv]: a study about your own shop."""

from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError


@command
def init(
    name: Annotated[str, typer.Option(help="of the data set: data/raw/NAME and studies/NAME.yaml are written")],
    items: Annotated[
        Path, typer.Option(help="CSV: id, description; category, product, colour, image if you have them")
    ],
    images: Annotated[Path, typer.Option(help="folder of pictures, named after the items or by the column image")],
    purchases: Annotated[Path | None, typer.Option(help="CSV: user, item, day; without it no recommendations")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="what=NAME, such as description=title; the rest is guessed")
    ] = None,
    captioner: Annotated[str, typer.Option(help="a folder under data/models/")] = "blip2-opt-2.7b",
    family: Annotated[str, typer.Option(help="of that captioner: a module of captioning/families/")] = "blip2_opt",
) -> None:
    """Write a study about your own shop. The tables are linked where they lie, the pictures packed into one zip."""
    from lookbook.workspace import new as starting
    from pipeline.model_folders import MODELS, check_folder
    from pipeline.names import check_name

    check_name("family", family, "captioning/families")
    if family != "file":
        check_folder(MODELS / captioner)
    pairs = [text.partition("=") for text in column or []]
    for what, _, called in pairs:
        if what not in starting.GUESSES or not called:
            raise UserError(f"--column {what}: must be what=NAME with what one of: {', '.join(starting.GUESSES)}")
    given = {what: called for what, _, called in pairs}
    study, columns = starting.init(name, items, images, purchases, given, (captioner, family))
    typer.echo(f"wrote {study} and data/raw/{name} (links to the tables, pictures in images.zip)")
    for what, called in columns.model_dump().items():
        typer.echo(f"  {what}: {called or 'no such column'}")
    if purchases is None:
        typer.echo("no purchases: the study is about captions alone; recommendations are off")
    target = "" if purchases else " report"  # without purchases nothing reads features: they are left out
    typer.echo(f"next: cp {study} params.yaml && lookbook doctor && dvc repro{target}")
