"""Check a whole parameter file against every stage, every folder of models and every file that a name stands for."""

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from captioning.tagging.extract import explain_download
from captioning.vision_features.settings import NAMES as BLIP2_FEATURES
from catalogue.descriptions.variants import CATALOGUE_OF
from pipeline.core.errors import UserError
from pipeline.core.params import Section, list_problems, load, suggest
from pipeline.model_folders import MODELS, read_pin
from pipeline.names import ROOT, allowed_names, explain_unknown_name, with_sections
from recsys.extractors import TextExtractor
from recsys.extractors import load as load_extractor
from recsys.recommenders import load as load_recommender

Values = dict[str, Any]
AXES = (
    "captioners",
    "catalogues",
    "texts",
    "recommenders",
    "content_recommenders",
    "image_features",
    "text_features",
    "sources",
    "imputations",
    "warm_imputations",
)
MODEL_KEYS = (  # section and key of a folder under data/models/; so is `model` of each section of rec_features
    ("caption_attributes", "tagger"),
    ("caption_classifier", "encoder"),
    ("caption_score", "clip_model"),
    ("caption_score", "bert_model"),
    ("caption_features", "captioner"),
)
ORIGINAL = "original"  # the text of the shop's own descriptions
ADAPTERS = Path("data/adapters")
NO_ADAPTER = "none"  # BLIP-2's features come from the model as it is
NO_FOLDER = ("minilm", "none")  # values of these keys without a folder: MiniLM comes with its package
MODEL_FILES = ("*.safetensors", "hub.json", "package.json", "*.pt", "*/*.pt", "*/*/*.pt")


def find_problems(path: Path) -> list[str]:
    """List every error of the file: unknown keys, then values of each stage, then names and folders.

    Raises:
        UserError: the file cannot be read at all.
    """
    values = load(path)
    problems = list_wrong_values(values)
    for check in (
        _check_captioners,
        _check_writer,
        _check_features_adapter,
        _check_model_folders,
        _check_axes,
        _check_arrivals,
        _check_texts,
        _check_warm_axes,
        _check_recommenders,
    ):
        problems += check(values)
    return list(dict.fromkeys(problems))  # a stage may refuse what is checked here too


def list_wrong_values(values: Values) -> list[str]:
    """List each unknown key, and each missing or wrong value of what stages read; no folder is looked at."""
    return list_problems(values, load_sections())


def summarise(path: Path) -> str:
    """Describe a file without errors in one line."""
    values = load(path)
    counts = ", ".join(f"{len(values[axis])} {axis.replace('_', ' ')}" for axis in AXES)
    return f"{path}: ok; {values['dataset']}, {counts}"


def load_sections() -> list[type[Section]]:
    """Import what each stage of dvc.yaml reads of params.yaml, in the order of dvc.yaml."""
    return [with_sections(importlib.import_module(module).Params) for module in list_stage_modules()]


def list_stage_modules() -> list[str]:
    """List the modules that dvc.yaml runs, except the one that builds the small models: it has no parameters."""
    commands = re.findall(r"cmd: python -m ([\w.]+)", (ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    return [module for module in dict.fromkeys(commands) if module != "sample.models"]


def list_allowed_names() -> dict[str, list[str]]:
    """List the names that each axis may hold: files of the plugin folders, extractors by the functions they have."""
    names = allowed_names("recsys/extractors")
    encodes_texts = {name: isinstance(load_extractor(name), TextExtractor) for name in names}
    of_images = [*(name for name, texts in encodes_texts.items() if not texts), *BLIP2_FEATURES]
    of_texts = [name for name, texts in encodes_texts.items() if texts]
    return {
        "catalogues": list(dict.fromkeys(CATALOGUE_OF.values())),
        "texts": list(CATALOGUE_OF),
        "recommenders": allowed_names("recsys/recommenders"),
        "content_recommenders": allowed_names("recsys/recommenders"),
        "image_features": of_images,
        "text_features": of_texts,
        "warm_content_recommenders": allowed_names("recsys/recommenders"),
        "warm_image_features": of_images,
        "warm_text_features": of_texts,
    }


def list_named_models(values: Mapping[str, Any]) -> list[str]:
    """List the folders under data/models/ that a parameter file names."""
    named = [section.get(key) for section, _, key in _list_model_keys(values)]
    names = [name for name in named if isinstance(name, str) and name not in NO_FOLDER]
    return list(dict.fromkeys([*map(str, _as_mapping(values.get("captioners"))), *names]))


def _list_model_keys(values: Mapping[str, Any]) -> list[tuple[Values, str, str]]:
    """List section, its name, and key, of each value that is a folder under data/models/, captioners aside."""
    features = _as_mapping(values.get("rec_features"))
    keys = [(_as_mapping(values.get(section)), section, key) for section, key in MODEL_KEYS]
    return keys + [(_as_mapping(features.get(name)), f"rec_features.{name}", "model") for name in features]


def _check_captioners(values: Values) -> Iterator[str]:
    families = allowed_names("captioning/families")
    for name, captioner in _as_mapping(values.get("captioners")).items():
        has_captions = _as_mapping(captioner).get("family") == "file" and any((MODELS / str(name)).glob("captions*.*"))
        if not has_captions and not _holds_a_model(MODELS / str(name)):
            hint = suggest(str(name), _list_models())
            yield f"captioners.{name}: no model in {MODELS / str(name)}, which must hold weights or a hub.json{hint}"
        yield from _check_pin(f"captioners.{name}", str(name))
        problem = explain_unknown_name("family", _as_mapping(captioner).get("family"), families)
        if problem and "family" in _as_mapping(captioner):
            yield f"captioners.{name}.family: {problem}"


def _check_writer(values: Values) -> Iterator[str]:
    captioners, writer = _as_mapping(values.get("captioners")), values.get("writer")
    if not captioners or writer is None:
        return
    problem = explain_unknown_name("captioner of this study", writer, map(str, captioners))
    if problem:
        yield f"writer: {problem}"


def _check_features_adapter(values: Values) -> Iterator[str]:
    """Report an adapter of BLIP-2's features that no captioner of the study makes, and that is not there."""
    name = _as_mapping(values.get("caption_features")).get("features_adapter")
    captioners = map(str, _as_mapping(values.get("captioners")))
    problem = explain_unknown_name("captioner of this study", name, [NO_ADAPTER, *captioners])
    if isinstance(name, str) and problem and not any((ADAPTERS / name).glob("*.safetensors")):
        yield f"caption_features.features_adapter: no adapter in {ADAPTERS / name}, and {problem}"


def _check_model_folders(values: Values) -> Iterator[str]:
    for section_values, section, key in _list_model_keys(values):
        name = section_values.get(key)
        if isinstance(name, str) and name not in NO_FOLDER and not _holds_a_model(MODELS / name):
            problem = (
                explain_unknown_name("model", name, _list_models())
                or f"{MODELS / name} holds no weights and no hub.json"
            )
            if key == "tagger":
                package = str(section_values.get("package"))
                problem = f"{MODELS / name}: no such folder; {explain_download(MODELS / name, package)}"
            yield f"{section}.{key}: {problem}"
        elif isinstance(name, str):
            yield from _check_pin(f"{section}.{key}", name)


def _check_pin(key: str, model: str) -> Iterator[str]:
    """Report what is wrong with the hub.json of a model, if it has one."""
    if (MODELS / model / "hub.json").is_file():
        try:
            read_pin(MODELS / model)
        except UserError as error:
            yield f"{key}: {error}"


def _check_axes(values: Values) -> Iterator[str]:
    for axis, allowed in list_allowed_names().items():
        members = _as_list(values.get(axis))
        for index, member in enumerate(members):
            problem = explain_unknown_name(axis.removesuffix("s").replace("_", " "), member, allowed)
            if problem:
                yield f"{axis}.{index}: {problem}"
            elif member in members[:index]:
                yield f"{axis}.{index}: {member!r} is listed twice; remove one"


def _check_arrivals(values: Values) -> Iterator[str]:
    """Report what the stages of arrivals do not see by themselves: names listed twice, and unknown picture features."""
    for axis in ("sources", "imputations", "warm_imputations"):
        members = _as_list(values.get(axis))
        for index, member in enumerate(members):
            if member in members[:index]:
                yield f"{axis}.{index}: {member!r} is listed twice; remove one"
    nearest = _as_mapping(values.get("catalogue_sources")).get("nearest")
    problem = explain_unknown_name("set of image features", nearest, list_allowed_names()["image_features"])
    if nearest is not None and problem:
        yield f"catalogue_sources.nearest: {problem}"


def _check_texts(values: Values) -> Iterator[str]:
    """Report that a text is missing which every study needs that fits recommenders on features of texts."""
    axes = [_as_list(values.get(axis)) for axis in ("content_recommenders", "text_features", "texts")]
    if all(axes) and ORIGINAL not in axes[-1]:
        yield f"texts: {ORIGINAL} is missing; recommenders are tuned with its features"


def _check_warm_axes(values: Values) -> Iterator[str]:
    """Report warm recommenders that the study has not elsewhere, or that read features which it does not make."""
    for axis in ("content_recommenders", "image_features", "text_features"):
        made, read = values.get(axis), values.get(f"warm_{axis}")
        if isinstance(made, list) and isinstance(read, list):
            for index, name in enumerate(read):
                if name not in made:
                    yield f"warm_{axis}.{index}: {name!r} is not among {axis}; add it there or remove it here"


def _check_recommenders(values: Values) -> Iterator[str]:
    """Report recommenders under the axis of the other kind: `content_recommenders` are those that need features."""
    files = allowed_names("recsys/recommenders")
    for axis, needs_features, other in (
        ("recommenders", False, "content_recommenders"),
        ("content_recommenders", True, "recommenders"),
    ):
        for index, name in enumerate(_as_list(values.get(axis))):
            if name in files and needs_features != load_recommender(name).NEEDS_FEATURES:
                needs = "needs no" if needs_features else "needs"
                yield f"{axis}.{index}: {name} {needs} features; name it under {other}"


def _list_models() -> list[str]:
    return sorted(folder.name for folder in MODELS.glob("*") if folder.is_dir())


def _holds_a_model(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in MODEL_FILES)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_mapping(value: Any) -> Values:
    return value if isinstance(value, dict) else {}
