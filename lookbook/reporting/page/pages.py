"""The files of the report: two HTML pages, every table in three formats, every figure in three and as CSV."""

import base64
from pathlib import Path

from lookbook.reporting.charts import KINDS, Chart
from lookbook.reporting.formatting import Table, Values
from lookbook.reporting.latex import write_document, write_latex
from lookbook.reporting.rendering import make_environment

TEMPLATES = Path(__file__).parents[1] / "templates"


def write_pages(folder: Path, page: Values, tables: list[Table], charts: list[Chart], numbers: str) -> None:
    """Write the report into an empty folder.

    Args:
        folder: Where to write.
        page: The values of the page templates; garments.html is left out where there are no garments.
        tables: The tables.
        charts: The figures.
        numbers: Scores and comparisons as LaTeX macros.
    """
    for name in ("index.html", "garments.html"):
        if name == "index.html" or page["garments"].by_rule:
            (folder / name).write_text(render_page(name, page), encoding="utf-8")
    (folder / "tables").mkdir()
    for table in tables:
        for kind, text in (("md", table.markdown()), ("tex", write_latex(table)), ("csv", table.csv())):
            (folder / "tables" / f"{table.name}.{kind}").write_text(text, encoding="utf-8")
    (folder / "tables" / "all.tex").write_text(write_document(table.name for table in tables), encoding="utf-8")
    (folder / "numbers.tex").write_text(numbers, encoding="utf-8")
    (folder / "figures").mkdir()
    for chart in charts:
        for kind, content in chart.render(KINDS).items():
            (folder / "figures" / f"{chart.name}.{kind}").write_bytes(content)
        (folder / "figures" / f"{chart.name}.csv").write_text(chart.csv(), encoding="utf-8")


def render_page(name: str, page: Values) -> str:
    """Render a page as HTML; every value is escaped, and a missing value is an error."""
    environment = make_environment(TEMPLATES)
    environment.filters["latex"] = write_latex
    return environment.get_template(f"{name}.j2").render(**page)


def encode_data_uri(content: bytes, media_type: str) -> str:
    """Encode a file as a URI that holds its content, so that a page needs no other file."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
