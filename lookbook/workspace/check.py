"""lookbook check: a whole parameter file against every stage, every folder of models and every name there is."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from captioning.features import NAMES as BLIP2_FEATURES
from captioning.tagging.extract import remedy
from catalogue.descriptions.variants import CATALOGUE_OF
from pipeline.core.errors import UserError
from pipeline.core.params import Section, list_problems, load, suggest
from pipeline.model_folders import MODELS, read_pin
from pipeline.names import ROOT, allowed_names, explain_unknown_name, with_sections

Values = dict[str, Any]
AXES = ("captioners", "catalogues", "texts", "recommenders", "image_features", "text_features")
MODEL_KEYS = (  # each names a folder under data/models/; so does `model` of each section of rec_features
    ("caption_attributes", "tagger"),
    ("caption_classifier", "encoder"),
    ("caption_score", "clip_model"),
    ("caption_features", "captioner"),
)
NO_FOLDER = ("minilm", "none")  # values of these keys that name none: MiniLM comes with its package
HOLDS_A_MODEL = ("*.safetensors", "hub.json", "package.json", "*.pt", "*/*.pt", "*/*/*.pt")


def find_problems(path: Path) -> list[str]:
    """Every error of the file, in the order: unknown keys, values of each stage, names and folders.

    Raises:
        UserError: the file cannot be read at all.
    """
    values = load(path)
    problems = list_problems(values, stage_models())
    for look in (_captioners, _writer, _model_folders, _axes):
        problems += look(values)
    return list(dict.fromkeys(problems))  # a stage may refuse what is looked at here too


def summary(path: Path) -> str:
    """One line about a file without errors."""
    values = load(path)
    counts = ", ".join(f"{len(values[axis])} {axis.replace('_', ' ')}" for axis in AXES)
    return f"{path}: ok; {values['dataset']}, {counts}"


def stage_models() -> list[type[Section]]:
    """What each stage of dvc.yaml reads of params.yaml, in the order of the line."""
    return [with_sections(importlib.import_module(module).Params) for module in stage_modules()]


def stage_modules() -> list[str]:
    """The entry modules that dvc.yaml runs, without the one that builds the small models: it has no parameters."""
    commands = re.findall(r"cmd: python -m ([\w.]+)", (ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    return [module for module in dict.fromkeys(commands) if module != "sample.models"]


def _captioners(values: Values) -> Iterator[str]:
    families = allowed_names("captioning/families")
    for name, captioner in _mapping(values.get("captioners")).items():
        captions = _mapping(captioner).get("family") == "file" and any((MODELS / str(name)).glob("captions*.*"))
        if not captions and not _holds_a_model(MODELS / str(name)):
            hint = suggest(str(name), _models())
            yield f"captioners.{name}: no model in {MODELS / str(name)}, which must hold weights or a hub.json{hint}"
        yield from _pin_problems(f"captioners.{name}", str(name))
        problem = explain_unknown_name("family", _mapping(captioner).get("family"), families)
        if problem and "family" in _mapping(captioner):
            yield f"captioners.{name}.family: {problem}"


def _writer(values: Values) -> Iterator[str]:
    captioners, writer = _mapping(values.get("captioners")), values.get("writer")
    if not captioners or writer is None:
        return
    problem = explain_unknown_name("captioner of this study", writer, map(str, captioners))
    if problem:
        yield f"writer: {problem}"


def _model_folders(values: Values) -> Iterator[str]:
    features = _mapping(values.get("rec_features"))
    keys = [(_mapping(values.get(section)), section, key) for section, key in MODEL_KEYS]
    keys += [(_mapping(features.get(name)), f"rec_features.{name}", "model") for name in features]
    for section_values, section, key in keys:
        name = section_values.get(key)
        if isinstance(name, str) and name not in NO_FOLDER and not _holds_a_model(MODELS / name):
            problem = (
                explain_unknown_name("model", name, _models()) or f"{MODELS / name} holds no weights and no hub.json"
            )
            if key == "tagger":
                package = str(section_values.get("package"))
                problem = f"{MODELS / name} is not there; {remedy(MODELS / name, package)}"
            yield f"{section}.{key}: {problem}"
        elif isinstance(name, str):
            yield from _pin_problems(f"{section}.{key}", name)


def _pin_problems(key: str, name: str) -> Iterator[str]:
    """What is wrong with the hub.json of a model, if it has one."""
    if (MODELS / name / "hub.json").is_file():
        try:
            read_pin(MODELS / name)
        except UserError as error:
            yield f"{key}: {error}"


def _axes(values: Values) -> Iterator[str]:
    for axis, allowed in allowed_members().items():
        members = values.get(axis)
        if not isinstance(members, list):
            continue
        for place, member in enumerate(members):
            problem = explain_unknown_name(axis.removesuffix("s").replace("_", " "), member, allowed)
            if problem:
                yield f"{axis}.{place}: {problem}"
            elif member in members[:place]:
                yield f"{axis}.{place}: {member!r} stands there twice"


def allowed_members() -> dict[str, list[str]]:
    """The names that each axis may hold: what files there are, not what files do."""
    of_text = {
        name: "def text_vectors(" in (ROOT / f"recsys/extractors/{name}.py").read_text(encoding="utf-8")
        for name in allowed_names("recsys/extractors")
    }
    return {
        "catalogues": list(dict.fromkeys(CATALOGUE_OF.values())),
        "texts": list(CATALOGUE_OF),
        "recommenders": allowed_names("recsys/recommenders"),
        "image_features": [*(name for name, text in of_text.items() if not text), *BLIP2_FEATURES],
        "text_features": [name for name, text in of_text.items() if text],
    }


def _models() -> list[str]:
    return sorted(folder.name for folder in MODELS.glob("*") if folder.is_dir())


def _holds_a_model(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in HOLDS_A_MODEL)


def _mapping(value: Any) -> Values:
    return value if isinstance(value, dict) else {}
