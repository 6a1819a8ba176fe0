"""lookbook doctor: check whether this machine is ready for the study of params.yaml; a line each with its remedy."""

from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command


@command
def doctor(
    file: Annotated[Path, typer.Argument(help="a parameter file")] = Path("params.yaml"),
    json: Annotated[Path | None, typer.Option(help="write the findings to this file")] = None,
) -> None:
    """Check Python, GPU, memory, disk, Java, models, data, remotes and git. Exit with 1 if anything is an error."""
    from lookbook.workspace.doctor import examine
    from pipeline.core.outputs import write_json
    from pipeline.destinations import check_file

    check_file("--json", json)
    findings = examine(file)
    if json:
        write_json(json, [finding.as_dict() for finding in findings])
    for finding in findings:
        typer.echo(f"{finding.status:7}  {finding.subject}: {finding.message}")
        if finding.remedy:
            typer.echo(f"{'':9}→ {finding.remedy}")
    if any(finding.status == "error" for finding in findings):
        raise typer.Exit(1)
