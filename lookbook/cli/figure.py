"""lookbook figure NAME: write a figure of the study for a paper, as SVG, PDF or PNG, with a CSV of what is drawn."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookbook.cli import command

if TYPE_CHECKING:
    from lookbook.reporting.charts import Chart

EXAMPLES = "examples"


class Width(StrEnum):
    """The width of a figure: 3.33 or 6.9 inches."""

    column = "column"
    page = "page"


@command
def figure(
    name: Annotated[str, typer.Argument(help="such as arrivals, quality, slope, attributes, raters, examples")],
    out: Annotated[Path, typer.Option(help="the file to write: .svg, .pdf or .png")],
    width: Annotated[Width, typer.Option(help="of one or of two columns")] = Width.column,
    items: Annotated[
        str | None, typer.Option(help="examples: test garments separated by commas (default: 8 by rule)")
    ] = None,
) -> None:
    """Write a figure of the study in this folder, and beside it a CSV of exactly what is drawn."""
    from lookbook.reporting.charts import KINDS, WIDTHS
    from pipeline.core.errors import UserError
    from pipeline.core.outputs import new_file
    from pipeline.destinations import check_file

    kinds = {f".{kind}": kind for kind in KINDS}
    if out.suffix not in kinds:
        raise UserError(f"--out {out}: ends in none of {', '.join(kinds)}")
    if items is not None and name != EXAMPLES:
        raise UserError(f"--items: for the figure {EXAMPLES} alone, not {name}")
    for path in (out, out.with_suffix(".csv")):
        check_file("--out", path)
    chart = choose_chart(name, [] if items is None else [item.strip() for item in items.split(",")])
    kind = kinds[out.suffix]
    drawn = chart.render([kind], WIDTHS[width])[kind]
    for path, content in ((out, drawn), (out.with_suffix(".csv"), chart.csv().encode())):
        with new_file(path) as partial:
            partial.write_bytes(content)
    typer.echo(f"wrote {out} and {out.with_suffix('.csv').name}: {chart.words}")


def choose_chart(name: str, items: list[str]) -> "Chart":
    """Return a figure of the study in this folder.

    Args:
        name: Of the figure.
        items: Garments of the figure of examples.

    Raises:
        UserError: There is no such figure, or no such garment.
    """
    from lookbook.reporting.charts.study import list_charts
    from lookbook.reporting.files import Reader
    from lookbook.reporting.page.examples import chart_examples
    from lookbook.reporting.page.garments import read_examples
    from lookbook.reporting.results import read_results
    from lookbook.reporting.settings import ReportedStudy
    from pipeline.core.params import read

    study, reader = read(ReportedStudy), Reader()
    if name == EXAMPLES:
        examples = chart_examples(read_examples(study, reader, items), study.writer)
        return reader.choose("figure", name, {} if examples is None else {name: examples})
    charts = {chart.name: chart for chart in list_charts(study, read_results(study, reader))}
    return reader.choose("figure", name, charts)
