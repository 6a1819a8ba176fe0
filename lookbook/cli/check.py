"""lookbook check [FILE]: validate a whole parameter file before anything runs."""

from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError


@command
def check(
    file: Annotated[Path, typer.Argument(help="a parameter file, such as studies/sample.yaml")] = Path("params.yaml"),
) -> None:
    """Validate a whole parameter file and list every error at once. Run it from the root of the project."""
    from lookbook.workspace.check import find_problems, summarise

    problems = find_problems(file)
    if problems:
        raise UserError(f"{file}: {len(problems)} error(s)\n" + "\n".join(f"  {problem}" for problem in problems))
    typer.echo(summarise(file))
