"""Names that are file names: a family, a recommender, an extractor is one file in its folder."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.params import nearest

ROOT = Path(__file__).parent.parent


def allowed_names(folder: str) -> list[str]:
    """The modules of a folder of the project (`recsys/extractors`), sorted."""
    return sorted(path.stem for path in (ROOT / folder).glob("*.py") if not path.stem.startswith("_"))


def unknown_name(kind: str, name: object, allowed: Iterable[str]) -> str:
    """What is wrong with a name: one line with the allowed names and the nearest one; empty if it is allowed."""
    names = list(allowed)
    if name in names:
        return ""
    return f"{name!r} is no known {kind}; must be one of: {', '.join(names)}{nearest(str(name), names)}"


def check_name(kind: str, name: str, folder: str) -> None:
    """Refuses a name that is no module of `folder`, before anything is imported.

    Raises:
        UserError: lists the allowed names, and the nearest one.
    """
    problem = unknown_name(kind, name, allowed_names(folder))
    if problem:
        raise UserError(problem)
