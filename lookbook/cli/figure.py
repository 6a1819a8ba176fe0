"""lookbook figure NAME: write a figure of the study for a paper, as SVG, PDF or PNG, with a CSV of what is drawn."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command


class Width(StrEnum):
    """The width of a figure: 3.33 or 6.9 inches."""

    column = "column"
    page = "page"


@command
def figure(
    name: Annotated[str, typer.Argument(help="such as arrivals, quality, slope, attributes, slices, frontier")],
    out: Annotated[Path, typer.Option(help="the file to write: .svg, .pdf or .png")],
    width: Annotated[Width, typer.Option(help="of one or of two columns")] = Width.column,
) -> None:
    """Write a figure of the study in this folder, and beside it a CSV of exactly what is drawn."""
    from lookbook.reporting.charts import KINDS, WIDTHS
    from lookbook.reporting.charts.study import list_charts
    from lookbook.reporting.files import Reader
    from lookbook.reporting.results import read_results
    from lookbook.reporting.settings import ReportedStudy
    from pipeline.core.errors import UserError
    from pipeline.core.outputs import new_file
    from pipeline.core.params import read

    kinds = {f".{kind}": kind for kind in KINDS}
    if out.suffix not in kinds:
        raise UserError(f"--out {out}: ends in none of {', '.join(kinds)}")
    study, reader = read(ReportedStudy), Reader()
    charts = {chart.name: chart for chart in list_charts(study, read_results(study, reader))}
    chart = reader.choose("figure", name, charts)
    kind = kinds[out.suffix]
    drawn = chart.render([kind], WIDTHS[width])[kind]
    for path, content in ((out, drawn), (out.with_suffix(".csv"), chart.csv().encode())):
        with new_file(path) as partial:
            partial.write_bytes(content)
    typer.echo(f"wrote {out} and {out.with_suffix('.csv').name}: {chart.words}")
