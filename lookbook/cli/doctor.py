"""lookbook doctor: check whether this machine is ready for the study of params.yaml; a line each with its remedy."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command


@command
def doctor(
    file: Annotated[Path, typer.Argument(help="a parameter file")] = Path("params.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="print the findings as JSON")] = False,
) -> None:
    """Check Python, GPU, memory, disk, Java, models, data, remotes and git. Exit with 1 if anything is an error."""
    from lookbook.workspace.doctor import examine

    findings = examine(file)
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings], indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            typer.echo(f"{finding.status:7}  {finding.subject}: {finding.message}")
            if finding.remedy:
                typer.echo(f"{'':9}→ {finding.remedy}")
    if any(finding.status == "error" for finding in findings):
        raise typer.Exit(1)
