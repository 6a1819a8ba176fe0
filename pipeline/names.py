"""Names that are file names: each family, recommender and extractor is one file in its folder."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import pydantic

from pipeline.core.errors import UserError
from pipeline.core.params import NAMED_BY_FILES, Model, Section, suggest

ROOT = Path(__file__).parent.parent
GRIDS = "rec_tune"  # the section that lists values to try for each key


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


def build_grid(settings: type[Section]) -> type[Section]:
    """Return a section with a list of values for each key of some settings; a key may be missing."""
    keys: dict[str, Any] = {name: (list[key.rebuild_annotation()], []) for name, key in settings.model_fields.items()}  # type: ignore[misc]
    return pydantic.create_model("Grid", __base__=Section, **keys)


def with_sections(model: type[Model], names: Iterable[str] | None = None) -> type[Model]:
    """Return the model with the sub-sections of files in each of its sections that has such, as `rec_fit.itemknn`.

    A file's sub-section is typed by the class `Settings` of the file, that of `rec_tune` by lists of such values. A
    stage that runs one file reads the sub-section of that file alone, and imports no other file.

    Args:
        model: what a stage reads of params.yaml.
        names: the files; None: every file of the folder.
    """
    sections: dict[str, Any] = {}
    for section, folder in NAMED_BY_FILES.items():
        if section in model.model_fields:
            base: Any = model.model_fields[section].annotation
            files = allowed_names(folder) if names is None else list(names)
            package = folder.replace("/", ".")
            settings = {name: import_module(f"{package}.{name}").Settings for name in files}
            own: dict[str, Any] = {
                name: (build_grid(keys) if section == GRIDS else keys, ...) for name, keys in settings.items()
            }
            sections[section] = (pydantic.create_model(base.__name__, __base__=base, **own), ...)
    return pydantic.create_model(model.__name__, __base__=model, **sections)
