"""The captioners of params.yaml: their names are those of files, folders and cells of the line."""

import re
from typing import Annotated

from pydantic import AfterValidator

from pipeline.core.errors import UserError
from pipeline.core.params import Section

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
WARM = "warm-"  # begins the folders of features of items that are no arrivals: recsys.arrivals.sources leaves them out
NONE = "none"  # no model, no adapter


class Captioner(Section):
    """A captioner of the section `captioners`."""

    family: str


def explain_wrong_captioner(name: str) -> str:
    """Return a line that says why a captioner may not have this name, or nothing if it may.

    >>> explain_wrong_captioner("llava-1.5-7b")
    ''
    >>> explain_wrong_captioner("warm-up").partition("; ")[0]
    "'warm-up' is no name for a captioner: it begins with warm-, as features of items that are no arrivals do"
    """
    if not NAME.fullmatch(name):
        problem = "it must be of letters, digits, `_`, `.`, `+` and `-`, a letter or digit first"
    elif name.startswith(WARM):
        problem = f"it begins with {WARM}, as features of items that are no arrivals do"
    elif name == NONE:
        problem = f"{NONE} stands for no model and no adapter"
    else:
        return ""
    return f"{name!r} is no name for a captioner: {problem}; rename it, and its folder under data/models/"


def check_captioner(name: str) -> None:
    """Refuse a name that no captioner may have.

    Raises:
        UserError: the message says what is allowed.
    """
    problem = explain_wrong_captioner(name)
    if problem:
        raise UserError(f"--captioner: {problem}")


def _check_names(captioners: dict[str, Captioner]) -> dict[str, Captioner]:
    problems = [problem for name in captioners if (problem := explain_wrong_captioner(name))]
    if problems:
        raise ValueError("; ".join(problems))
    return captioners


Captioners = Annotated[dict[str, Captioner], AfterValidator(_check_names)]
