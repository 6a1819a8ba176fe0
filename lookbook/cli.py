"""lookbook: the command line. `lookbook check` validates a parameter file before anything runs."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import UserError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Do better captions make better fashion recommendations? The study itself runs with `dvc repro`."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="a parameter file, such as studies/sample.yaml")] = Path("params.yaml"),
) -> None:
    """Validate a whole parameter file: every error at once. Run it from the root of the project."""
    from lookbook.check import find_problems, summary

    try:
        problems = find_problems(file)
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    if problems:
        typer.echo(
            f"error: {file}: {len(problems)} error(s)\n" + "\n".join(f"  {problem}" for problem in problems), err=True
        )
        raise typer.Exit(1)
    typer.echo(summary(file))


if __name__ == "__main__":
    app()
