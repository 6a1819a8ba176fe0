"""Typed parameters: one message with every error in what a stage reads, before anything is loaded.

A stage declares a model of the root keys and sections that it reads and calls `read(Model)`. The keys of
params.yaml are compared with studies/sample.yaml, which names every key there is.
"""

import difflib
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic
from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.constructor import DuplicateKeyError

from pipeline.core.errors import UserError

PARAMS = Path("params.yaml")
REFERENCE = Path(__file__).parents[2] / "studies" / "sample.yaml"
NAMED_BY_FILES = {  # a sub-section for each file
    "rec_fit": "recsys/recommenders",
    "rec_tune": "recsys/recommenders",
    "rec_features": "recsys/extractors",
}
NAMED_BY_THE_STUDY = {"captioners"}  # mappings whose keys are the study's own choice


class Section(pydantic.BaseModel):
    """A section of params.yaml: unknown keys and conversions are refused, but an int is accepted as a float."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=Section)


def read(model: type[Model], path: Path | str = PARAMS) -> Model:
    """Read the root keys and sections of `path` that `model` names.

    Raises:
        UserError: the message lists every unknown key of the file, and every wrong value of the keys of `model`.
    """
    path = Path(path)
    values = load(path)
    problems = list_problems(values, [model])
    if problems:
        raise UserError(f"{path}: {len(problems)} error(s)\n" + "\n".join(f"  {problem}" for problem in problems))
    return model.model_validate(_select(model, values))


def list_problems(values: dict[str, Any], models: Sequence[type[Section]]) -> list[str]:
    """List each key that studies/sample.yaml lacks, and each wrong value among the keys that the models name."""
    reference = _load_reference()
    problems = _unknown_keys(values, reference)
    for model in models:
        try:
            model.model_validate(_select(model, values))
        except pydantic.ValidationError as error:
            for problem in error.errors():  # a key is listed once, though many stages read it
                message = _describe(problem, model, reference)
                problems.setdefault(_key(problem) or message, message)
    return list(problems.values())


def load(path: Path) -> dict[str, Any]:
    """Read a YAML file as plain values, by YAML 1.2, so that `1e-05` is a number.

    Raises:
        UserError: the file is missing, is not YAML, or holds no mapping.
    """
    try:
        values = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; run from the root of the project, or: cp studies/sample.yaml {path}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a YAML file: {error}") from None
    except DuplicateKeyError as error:
        raise UserError(f"{path}: {error.problem!s}; keep only one of the two keys") from None
    except YAMLError as error:
        raise UserError(f"{path}: not valid YAML\n{error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of keys to values, found {type(values).__name__}")
    return values


@functools.cache
def _load_reference() -> dict[str, Any]:
    return load(REFERENCE)


def suggest(name: str, allowed: list[str]) -> str:
    """Return `; did you mean X?` if one of the allowed names is similar, otherwise nothing.

    >>> suggest("userkn", ["itemknn", "userknn"])
    '; did you mean userknn?'
    """
    similar = difflib.get_close_matches(name, allowed, n=1, cutoff=0.6)
    return f"; did you mean {similar[0]}?" if similar else ""


def _select(model: type[Section], values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in model.model_fields if name in values}


def _unknown_keys(values: dict[str, Any], reference: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Map the dotted name of each unknown key to its message."""
    problems = {}
    for key, value in values.items():
        if key not in reference:
            allowed = [str(name) for name in reference]
            hint = suggest(str(key), allowed) or f"; known here: {', '.join(allowed)}"
            problems[f"{prefix}{key}"] = f"{prefix}{key}: unknown key{hint}"
        elif isinstance(value, dict) and isinstance(reference[key], dict):
            known = reference[key]
            if key in NAMED_BY_THE_STUDY:
                known = dict.fromkeys(value, next(iter(known.values())))
            if key in NAMED_BY_FILES:  # the keys of a file that the reference lacks are checked by its own model
                known = dict.fromkeys(_files(NAMED_BY_FILES[key])) | known
            problems |= _unknown_keys(value, known, f"{prefix}{key}.")
    return problems


def _files(folder: str) -> list[str]:
    """Return the names of the files of a folder of the project that stand for a sub-section."""
    return sorted(path.stem for path in (REFERENCE.parents[1] / folder).glob("[!_]*.py"))


def _describe(problem: Any, model: type[pydantic.BaseModel], reference: dict[str, Any]) -> str:
    key = _key(problem)
    if problem["type"] == "extra_forbidden" and _own_file(problem, reference):
        known = _fields(model, problem["loc"][:-1])
        hint = suggest(str(problem["loc"][-1]), known) or f"; known here: {', '.join(known) or 'none'}"
        return f"{key}: unknown key{hint}"
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key, though studies/sample.yaml has it: bring that file and the code to one version"
    if problem["type"] == "missing":
        return f"{key}: missing; see {_own_file(problem, reference) or 'studies/sample.yaml'}"
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']!s}" if key else str(problem["ctx"]["error"])
    message = f"{key}: {problem['input']!r} is not allowed; {_lower(problem['msg'])}"
    if problem["type"] == "literal_error" and isinstance(problem["input"], str):
        allowed = problem["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        message += suggest(problem["input"], allowed)
    return message


def _own_file(problem: Any, reference: dict[str, Any]) -> str:
    """Return the file that names the keys of a sub-section which studies/sample.yaml lacks; else nothing."""
    section, *names = problem["loc"]
    if section not in NAMED_BY_FILES or not names or names[0] in reference[section]:
        return ""
    return f"{NAMED_BY_FILES[section]}/{names[0]}.py"


def _fields(model: Any, path: Sequence[str]) -> list[str]:
    """Return the keys of the section at the end of this path."""
    for part in path:
        model = model.model_fields[part].annotation
    return list(model.model_fields)


def _key(problem: Any) -> str:
    return ".".join(str(part) for part in problem["loc"])


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
