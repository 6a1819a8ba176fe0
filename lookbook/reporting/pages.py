"""The files of the report: two HTML pages, every table in three formats, every figure as SVG."""

import base64
from pathlib import Path

import jinja2

from lookbook.reporting.formatting import Table, Values
from lookbook.reporting.text import show_controls

TEMPLATES = Path(__file__).parent / "templates"


def write_report(folder: Path, page: Values, tables: list[Table], figures: dict[str, bytes]) -> None:
    """Write the report into an empty folder.

    Args:
        folder: Where to write.
        page: The values of the page templates; garments.html is left out where there are no garments.
        tables: The tables.
        figures: SVG by name.
    """
    for name in ("index.html", "garments.html"):
        if name == "index.html" or page["garments"]:
            (folder / name).write_text(render_page(name, page), encoding="utf-8")
    (folder / "tables").mkdir()
    for table in tables:
        for kind, text in (("md", table.markdown()), ("tex", table.latex()), ("csv", table.csv())):
            (folder / "tables" / f"{table.name}.{kind}").write_text(text, encoding="utf-8")
    (folder / "figures").mkdir()
    for name, svg in figures.items():
        (folder / "figures" / f"{name}.svg").write_bytes(svg)


def render_page(name: str, page: Values) -> str:
    """Render a page as HTML; every value is escaped, and a missing value is an error."""
    return make_environment().get_template(f"{name}.j2").render(**page)


def make_environment() -> jinja2.Environment:
    """Make the environment of our templates: it escapes every value, and `show_controls` is a filter of it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["show_controls"] = show_controls
    return environment


def encode_figures(figures: dict[str, bytes]) -> dict[str, str]:
    """Encode each SVG as a data URI."""
    return {name: encode_data_uri(svg, "image/svg+xml") for name, svg in figures.items()}


def encode_data_uri(content: bytes, media_type: str) -> str:
    """Encode a file as a URI that holds its content, so that a page needs no other file."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
