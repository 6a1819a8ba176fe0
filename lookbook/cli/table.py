"""lookbook table NAME: print a table of the study for a paper, as LaTeX, Markdown or CSV."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError

if TYPE_CHECKING:
    from lookbook.reporting.formatting import Table

GRID = "grid"


class Format(StrEnum):
    """How a table is printed."""

    latex = "latex"
    markdown = "markdown"
    csv = "csv"


class Against(StrEnum):
    """What a table is printed beside."""

    published = "published"


class Layout(StrEnum):
    """Whose layout a table is printed in."""

    own = "own"
    study = "study"


class Marks(StrEnum):
    """How LaTeX marks a claimed difference."""

    stars = "stars"
    letters = "letters"
    none = "none"


@command
def table(
    name: Annotated[str, typer.Argument(help="such as arrivals, captions, ratings, masked, catalogues, cost, grid")],
    format: Annotated[Format, typer.Option(help="of the text that is printed")] = Format.latex,
    columns: Annotated[
        str | None, typer.Option(help="columns of figures separated by commas, such as bleu_4,cider (default: all)")
    ] = None,
    against: Annotated[
        Against | None, typer.Option(help="print captions or recommendations beside the original study's")
    ] = None,
    layout: Annotated[
        Layout, typer.Option(help="study: captions or recommendations by the original study's columns and rows alone")
    ] = Layout.own,
    intervals: Annotated[bool, typer.Option("--intervals", help="LaTeX: intervals in lines of their own")] = False,
    marks: Annotated[Marks, typer.Option(help="LaTeX: how a claimed difference is marked")] = Marks.stars,
    cells: Annotated[Path, typer.Option(help="of the table grid: the file of its cells")] = Path(
        "studies/grids/study.yaml"
    ),
) -> None:
    """Print a table of the study in this folder."""
    from lookbook.reporting.latex import write_latex

    if layout == Layout.study:
        chosen = read_table_in_layout(name, against)
    else:
        chosen = read_grid_table(cells) if name == GRID and not against else read_table(name, against)
    if columns is not None:
        chosen = chosen.select([column.strip() for column in columns.split(",")])
    if intervals and not chosen.intervals:
        raise UserError(f"--intervals: the table {chosen.name} has none beside those that it prints anyway")
    if format == Format.latex:
        kind: Literal["stars", "letters", "none"] = marks.value
        text = write_latex(chosen, kind, intervals)
    else:
        text = chosen.markdown() if format == Format.markdown else chosen.csv()
    typer.echo(text, nl=False)


def read_table(name: str, against: Against | None) -> "Table":
    """Return a table of the study's results.

    Raises:
        UserError: There is no such table, or nothing was published that it could stand beside.
    """
    from lookbook.reporting.files import Reader
    from lookbook.reporting.results import read_results
    from lookbook.reporting.settings import ReportedStudy
    from lookbook.reporting.tables.study import list_tables
    from pipeline.core.params import read

    study, reader = read(ReportedStudy), Reader()
    tables = {table.name: table for table in list_tables(study, read_results(study, reader))}
    if against and f"published-{name}" not in tables:
        raise UserError(
            f"--against published: the original study has captions of hm and facad, and recommendations of hm; "
            f"this is {name} of {study.dataset}"
        )
    return reader.choose("table", f"published-{name}" if against else name, tables)


def read_table_in_layout(name: str, against: Against | None) -> "Table":
    """Return a table of the study's results by the original study's columns and rows alone.

    Raises:
        UserError: The original study has no such table, or this one has no results for it yet.
    """
    from lookbook.reporting.files import Reader
    from lookbook.reporting.results import read_results
    from lookbook.reporting.settings import ReportedStudy
    from lookbook.reporting.tables.layout import LABELS, captions_in_layout, recommendations_in_layout
    from pipeline.core.params import read

    if against:
        raise UserError("--layout study: the table of --against published has that layout already; leave one out")
    if name not in LABELS:
        raise UserError(f"--layout study: the original study printed {' and '.join(LABELS)}, not {name}")
    reader = Reader()
    results = read_results(read(ReportedStudy), reader)
    tables = {}
    if results.captioners:
        tables["captions"] = captions_in_layout(results.captions, results.captioners)
    if results.recommendations:
        tables["recommendations"] = recommendations_in_layout(results.recommendations)
    return reader.choose("table", name, tables)


def read_grid_table(file: Path) -> "Table":
    """Return what each cell of a grid reached, as `lookbook grid` shows it.

    Raises:
        UserError: There is no such file, or DVC cannot list the experiments.
    """
    from lookbook.workspace.grid import make_table, read_grid, read_runs
    from lookbook.workspace.grid_table import grid_table
    from pipeline.core.params import PARAMS, load

    params = load(PARAMS)
    names = list(params["captioners"])
    return grid_table(make_table(read_grid(file, params), read_runs(names, params, False), params, names))
