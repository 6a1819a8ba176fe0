"""lookbook table NAME: print a table of the study for a paper, as LaTeX, Markdown or CSV."""

from enum import StrEnum
from typing import Annotated, Literal

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError


class Format(StrEnum):
    """How a table is printed."""

    latex = "latex"
    markdown = "markdown"
    csv = "csv"


class Against(StrEnum):
    """What a table is printed beside."""

    published = "published"


class Marks(StrEnum):
    """How LaTeX marks a claimed difference."""

    stars = "stars"
    letters = "letters"
    none = "none"


@command
def table(
    name: Annotated[str, typer.Argument(help="such as arrivals, captions, recommendations, masked, catalogues, cost")],
    format: Annotated[Format, typer.Option(help="of the text that is printed")] = Format.latex,
    columns: Annotated[
        str | None, typer.Option(help="columns of figures separated by commas, such as bleu_4,cider (default: all)")
    ] = None,
    against: Annotated[
        Against | None, typer.Option(help="print captions or recommendations beside the original study's")
    ] = None,
    intervals: Annotated[bool, typer.Option("--intervals", help="LaTeX: intervals in lines of their own")] = False,
    marks: Annotated[Marks, typer.Option(help="LaTeX: how a claimed difference is marked")] = Marks.stars,
) -> None:
    """Print a table of the study in this folder."""
    from lookbook.reporting.files import Reader
    from lookbook.reporting.latex import write_latex
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
    chosen = reader.choose("table", f"published-{name}" if against else name, tables)
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
