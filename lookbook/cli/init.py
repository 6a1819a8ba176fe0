"""lookbook init --name NAME --items items.csv --images DIR [--purchases purchases.csv]: start a study of your shop."""

from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError


@command
def init(
    name: Annotated[str, typer.Option(help="name of the data set; writes data/raw/NAME and studies/NAME.yaml")],
    items: Annotated[
        Path, typer.Option(help="CSV with id and description; optional: category, product, colour, image")
    ],
    images: Annotated[Path, typer.Option(help="folder of pictures, named by item id or by the column image")],
    purchases: Annotated[
        Path | None, typer.Option(help="CSV with user, item, day (default: none, and no recommendations)")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="what=NAME, such as description=title; repeatable (default: guessed from the header)"),
    ] = None,
    captioner: Annotated[str, typer.Option(help="captioner: a folder under data/models/")] = "blip2-opt-2.7b",
    family: Annotated[str, typer.Option(help="its family: a module of captioning/families/")] = "blip2_opt",
) -> None:
    """Start a study about your own shop. It links to the tables and packs the pictures into one zip."""
    from lookbook.workspace.new import GUESSES, create_study
    from pipeline.model_folders import MODELS, check_folder
    from pipeline.names import check_name

    check_name("family", family, "captioning/families")
    if family != "file":
        check_folder(MODELS / captioner)
    pairs = [text.partition("=") for text in column or []]
    for what, _, column_name in pairs:
        if what not in GUESSES or not column_name:
            raise UserError(f"--column {what}: must be what=NAME with what one of: {', '.join(GUESSES)}")
    column_names = {what: column_name for what, _, column_name in pairs}
    study, columns = create_study(name, items, images, purchases, column_names, (captioner, family))
    typer.echo(f"wrote {study} and data/raw/{name} (links to the tables, pictures in images.zip)")
    for what, column_name in columns.model_dump().items():
        typer.echo(f"  {what}: {column_name or 'no such column'}")
    if purchases is None:
        typer.echo("no purchases: the study is about captions alone; recommendations are off")
    target = "" if purchases else " report"  # without purchases nothing reads features: leave them out
    typer.echo(f"next: cp {study} params.yaml && lookbook doctor && dvc repro{target}")
