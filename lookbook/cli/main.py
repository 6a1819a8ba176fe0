"""lookbook: the command line; each command is a file of `lookbook/cli/`."""

from importlib.metadata import version
from typing import Annotated

import typer

from lookbook.cli import app as app_command
from lookbook.cli import (
    caption,
    check,
    compare,
    doctor,
    elliot,
    evaluate,
    export,
    fetch,
    figure,
    grid,
    init,
    ratings,
    recommend,
    report,
    score,
    table,
    warprec,
)
from pipeline.core.memory import keep_freed_memory

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _show_version(show_version: bool) -> None:
    if show_version:
        typer.echo(f"lookbook {version('lookbook')}")
        raise typer.Exit


@app.callback()
def main(
    show_version: Annotated[
        bool, typer.Option("--version", help="show the version and exit", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Do better captions make better fashion recommendations? The study itself runs with `dvc repro`."""
    keep_freed_memory()


app.command("app")(app_command.app)
app.command("caption")(caption.caption)
app.command("check")(check.check)
app.command("compare")(compare.compare)
app.command("doctor")(doctor.doctor)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("fetch")(fetch.fetch)
app.command("figure")(figure.figure)
app.command("grid")(grid.grid)
app.command("init")(init.init)
app.command("recommend")(recommend.recommend)
app.command("report")(report.report)
app.command("score")(score.score)
app.command("table")(table.table)
app.add_typer(elliot.app, name="elliot")
app.add_typer(ratings.app, name="ratings")
app.add_typer(warprec.app, name="warprec")


if __name__ == "__main__":
    app()
