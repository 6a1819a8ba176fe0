"""The environment of the templates of report and application: one escape for all that is read."""

from pathlib import Path

import jinja2

from lookbook.reporting.text import show_controls


def make_environment(*folders: Path) -> jinja2.Environment:
    """Make an environment of templates: it escapes every value, and refuses one that is missing.

    Args:
        folders: Of the templates, in the order in which a name is looked for.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["show_controls"] = show_controls
    return environment
