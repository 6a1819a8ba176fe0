"""Names that are file names: each family, recommender and extractor is one file in its folder."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.params import suggest

ROOT = Path(__file__).parent.parent


def allowed_names(folder: str) -> list[str]:
    """List the modules of a folder of the project, such as `recsys/extractors`, sorted."""
    return sorted(path.stem for path in (ROOT / folder).glob("*.py") if not path.stem.startswith("_"))


def explain_unknown_name(kind: str, name: object, allowed: Iterable[str]) -> str:
    """Return a line with the allowed names and the nearest one, or nothing if the name is allowed.

    >>> explain_unknown_name("extractor", "sbrt", ["clip", "sbert"])
    "'sbrt' is no known extractor; must be one of: clip, sbert; did you mean sbert?"
    >>> explain_unknown_name("extractor", "clip", ["clip", "sbert"])
    ''
    """
    names = list(allowed)
    if name in names:
        return ""
    return f"{name!r} is no known {kind}; must be one of: {', '.join(names)}{suggest(str(name), names)}"


def check_name(kind: str, name: str, folder: str) -> None:
    """Refuse a name that is no module of `folder`, before anything is imported.

    Raises:
        UserError: the message lists the allowed names, and the nearest one.
    """
    problem = explain_unknown_name(kind, name, allowed_names(folder))
    if problem:
        raise UserError(problem)
