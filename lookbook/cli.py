"""lookbook: the command line. Each command is a file of `lookbook/commands/`."""

import typer

from lookbook.commands import caption, check, evaluate, export, grid, recommend

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Do better captions make better fashion recommendations? The study itself runs with `dvc repro`."""


app.command("caption")(caption.caption)
app.command("check")(check.check)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("grid")(grid.grid)
app.command("recommend")(recommend.recommend)


if __name__ == "__main__":
    app()
