"""HTML of what a study says, by templates that escape every value; each text goes through the macro `words`.

That macro and its filter are the report's (`lookbook/reporting/templates/words.j2`): one escape for all that is read.
"""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from lookbook.reporting.rendering import make_environment
from lookbook.reporting.text import show_controls

TEMPLATES = Path(__file__).parent / "templates"
SHARED = Path(__file__).parents[1] / "reporting" / "templates"


@cache
def _environment() -> jinja2.Environment:
    environment = make_environment(TEMPLATES, SHARED)
    environment.filters["in_attribute"] = show_in_attribute
    return environment


def show_in_attribute(text: object) -> str:
    """Return a text for an attribute, its angle brackets replaced: Streamlit drops attributes that look like markup.

    >>> show_in_attribute("a </style>")
    'a ‹/style›'
    """
    return show_controls(text).replace("<", "‹").replace(">", "›")


def render(template: str, **values: Any) -> str:
    """Render a template of this folder; every value is escaped, and a missing value is an error."""
    return _environment().get_template(f"{template}.html.j2").render(**values)


def read_style() -> str:
    """Return the style of these templates as an element."""
    return f"<style>{(TEMPLATES / 'views.css').read_text(encoding='utf-8')}</style>"
