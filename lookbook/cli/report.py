"""lookbook report: write the report of a study from the results that are there, and say what is missing."""

from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command

WRITTEN = ("index.html", "garments.html", "numbers.tex", "figures", "tables")  # in the folder of a report


@command
def report(
    out: Annotated[Path, typer.Option(help="the folder to write; it is replaced")] = Path("report-so-far"),
) -> None:
    """Write the report of the study in this folder from what is there; `dvc repro report` writes the whole one."""
    from lookbook.reporting.page.build import build_report, write_report
    from lookbook.reporting.settings import ReportedStudy
    from pipeline.core.errors import UserError, first_five
    from pipeline.core.outputs import new_folder
    from pipeline.core.params import read
    from pipeline.destinations import check_folder

    check_folder("--out", out)
    others = [path.name for path in out.iterdir() if path.name not in WRITTEN] if out.is_dir() else [out.name]
    if out.exists() and others:
        raise UserError(
            f"{out}: is no report alone, so it is not replaced: it holds {first_five(others)}; name another folder: "
            "--out FOLDER"
        )
    built = build_report(read(ReportedStudy), is_whole=False)
    with new_folder(out) as folder:
        write_report(folder, built)
    typer.echo(f"wrote {out}/index.html: {len(built.tables)} tables, {len(built.charts)} figures")
    for missing in built.page["missing"]:
        typer.echo(f"missing: {missing.path}; run `{missing.command}`")
