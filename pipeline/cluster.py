"""Files of the parts of a piece of work, made in this process or, with `machine.cluster: ray`, by Ray's nodes.

A caller names a file for each part and a function that opens what making them needs (a model, a mapped matrix). Only
names and parameters travel to a node, which sees the study's folder under the same path: its files are the checkpoint
of a run, and what is there is not made again. Parts are cut by the caller, never by the cluster, so that one process
and many nodes write the same bytes.

`RAY_ADDRESS` in the environment names the cluster; without it, one of this machine alone is started, which is how its
GPUs share captions. Tasks only: an actor waits for ever when its node is lost. docs/cluster.md says how to start nodes.
"""

import importlib.metadata
import os
import platform
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.memory import keep_freed_memory
from pipeline.core.outputs import new_file
from pipeline.core.progress import open_bar
from pipeline.core.record import name_processor
from pipeline.machine import HERE, Where

Write = Callable[[Mapping[Path, Any]], None]  # writes a file for each part, in their order, whole or absent
Open = Callable[..., Write]  # once in each process: loads what every file needs

RETRIES = 10  # times that a task may lose its process or node
AHEAD = 2  # tasks that wait for each slot
PATIENCE_SECONDS = 60.0  # until a file that a node wrote is seen here; NFS keeps for a while that it was not there
HINT_SECONDS = 20.0  # without a process for the first task, until what it waits for is printed
STORE_BYTES = 80_000_000  # of Ray's object store on this machine; only names travel
HARDWARE = "hardware"  # beside the files: what made them
ROOT = Path(__file__).parents[1]
PASSED = (  # variables of this process that the processes of nodes get
    *("CHECKPOINT_DIR", "HF_HOME", "HF_HUB_OFFLINE", "LOOKBOOK_READERS"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
)
SETTINGS = {  # of Ray, in this process; what the environment sets stays
    "RAY_grpc_client_keepalive_time_ms": "15000",  # a node that hangs is noticed after a minute; default: seven
    "RAY_grpc_client_keepalive_timeout_ms": "15000",
    "RAY_task_oom_retries": "2",  # default: for ever
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # else the tracebacks of other tasks follow the one message
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
LIBRARIES = ("numpy", "torch", "transformers", "pillow", "scipy", "sparse-dot-topn", "polars", "pyarrow")

_opened: dict[str, Write] = {}  # in a process of a node: what the call that it serves has opened


@dataclass(frozen=True)
class _Work:
    """What travels to a node once: a key of this call, the study's folder, the expected hardware, and how to open."""

    key: str
    folder: str
    hardware: str
    open: Open
    arguments: tuple[Any, ...]
    gpu: bool


def make_files(
    parts: Mapping[Path, Any],
    open_: Open,
    *arguments: Any,
    where: Where = HERE,
    together: int = 1,
    is_whole: Callable[[Path], bool] = Path.is_file,
) -> list[Path]:
    """Make a file for each part, and return the files in order; those that are there are not made again.

    Args:
        parts: file → what it is made of: ids, or a range of rows.
        open_: a function of a module; returns what writes the files of some parts. It is not called where nothing is
            missing, and else once in each process.
        arguments: of `open_`; names and parameters, since they travel to each node.
        where: this process, or a cluster.
        together: parts of one task, at most. A lost task keeps the files that it finished.
        is_whole: checks that a file is what `open_` wrote; a damaged one is made again.

    Raises:
        UserError: what `open_` or its function refuses; Ray is not installed or not reached; a process was ended
            again and again; nodes differ in hardware or libraries, among each other or from those of files that are
            there.
    """
    missing = {path: part for path, part in parts.items() if not is_whole(path)}
    finished = {path.parent for path in parts if path not in missing}
    if missing and where.cluster == "ray":
        for path in missing:
            path.unlink(missing_ok=True)  # a node takes what it finds for whole
        _make_on_ray(missing, finished, open_, arguments, where, together)
    elif missing:
        _record_hardware(missing, finished, _describe(where.device == "cuda"))
        open_(*arguments)(missing)
    return list(parts)


def _record_hardware(missing: Iterable[Path], finished: Collection[Path], hardware: str) -> None:
    """Write into the folders of missing files what makes them: files of one folder are made by one kind.

    Args:
        missing: files that are not there.
        finished: folders that hold files of an earlier try.
        hardware: `_describe` of the processes.

    Raises:
        UserError: files of an earlier try were made by another kind.
    """
    for folder in {path.parent for path in missing}:
        file = folder / HARDWARE
        earlier = file.read_text(encoding="utf-8") if file.is_file() else None
        if folder in finished and earlier not in (None, hardware):
            raise UserError(
                f"{folder}: files of an earlier try were made by {earlier}, and the rest would be made by {hardware}, "
                "whose last bits may differ; go on with hardware and libraries of that kind, or remove the folder to "
                "make all files again"
            )
        if earlier != hardware:
            with new_file(file) as partial:
                partial.write_text(hardware, encoding="utf-8")


def _make_on_ray(
    missing: Mapping[Path, Any],
    finished: Collection[Path],
    open_: Open,
    arguments: tuple[Any, ...],
    where: Where,
    together: int,
) -> None:
    """Submit tasks while slots are free, and wait until every file is seen here; leave the cluster where one fails."""
    ray = _connect(where)
    gpu = where.device == "cuda"
    slots = _Slots(ray, min(where.threads, _count_cpus(ray)), gpu)
    work = _Work(uuid.uuid4().hex, os.getcwd(), _find_hardware(ray, slots, gpu), open_, arguments, gpu)
    _record_hardware(missing, finished, work.hardware)
    shared, make = ray.put(work), slots.remote(_make)
    rest = _cut(missing, max(1, min(together, len(missing) // (AHEAD * slots.count()))))
    running: dict[Any, Mapping[Path, Any]] = {}
    try:
        with open_bar("files", len(missing), "file") as progress:
            while True:
                for part in islice(rest, max(0, AHEAD * slots.count() - len(running))):
                    running[make.remote(shared, part)] = part
                if not running:
                    return
                (done,), _ = ray.wait(list(running), num_returns=1)
                sizes = _receive(ray, done, next(iter(running[done])))
                for path, size in zip(running.pop(done), sizes, strict=True):
                    _wait_until_seen(path, size)
                progress.update(len(sizes))
    except BaseException:
        ray.shutdown()  # ends the other tasks; ray.cancel may abort this process where a task just ends (Ray's #54798)
        raise


class _Slots:
    """The places for tasks in the whole cluster: each has so many CPUs, and a GPU if there is need of one."""

    def __init__(self, ray: Any, cpus: int, gpu: bool) -> None:
        self.ray, self.needs = ray, {"CPU": cpus} | ({"GPU": 1} if gpu else {})

    def remote(self, function: Callable[..., Any]) -> Any:
        """Return the function as a task; its processes live on, also those with a GPU."""
        return self.ray.remote(
            num_cpus=self.needs["CPU"],
            num_gpus=self.needs.get("GPU", 0),
            max_retries=RETRIES,
            max_calls=0,
            scheduling_strategy="SPREAD",
        )(function)

    def count(self) -> int:
        """Count the slots; nodes may join and leave."""
        have = self.ray.cluster_resources()
        return max(1, int(min(have.get(kind, 0) // number for kind, number in self.needs.items())))

    def explain(self) -> str:
        """Say what a task needs and what each node has."""
        have = "; ".join(f"{cpus} CPU, {gpus} GPU" for cpus, gpus in _list_nodes(self.ray))
        needs = ", ".join(f"{number} {kind}" for kind, number in self.needs.items())
        return f"a task needs {needs} of one node (machine.threads, device), and the nodes have: {have or 'none'}"


def _connect(where: Where) -> Any:
    """Import Ray, and connect to the cluster of `RAY_ADDRESS`, or start one of this machine; say what it has.

    Raises:
        UserError: Ray is not installed, or no cluster answers.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise UserError(
            "params.yaml: machine.cluster: ray needs Ray, which is not installed here; run "
            "`pip install -e '.[cluster]'` in the project's folder, on every node, or set machine.cluster: none"
        ) from None
    if ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS") or "local"
    alone: dict[str, Any] = (
        {"object_store_memory": STORE_BYTES, "include_dashboard": False} if address == "local" else {}
    )
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {name: os.environ[name] for name in PASSED if name in os.environ} | {"PYTHONPATH": ":".join(paths)}
    try:
        ray.init(
            address,
            log_to_driver=False,
            logging_level="error",
            runtime_env={"env_vars": variables},
            **alone,
        )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UserError(
            f"RAY_ADDRESS={address}: no Ray cluster can be reached there ({str(error).splitlines()[0]}); start one, or "
            "give the same token, as docs/cluster.md says; unset RAY_ADDRESS to use this machine alone, or set "
            "machine.cluster: none"
        ) from None
    idle = ""
    if where.device == "cuda":
        idle = _explain_idle_gpus(_list_nodes(ray), min(where.threads, _count_cpus(ray)))
    print(f"Ray: {_describe_cluster(ray)}{idle}", file=sys.stderr, flush=True)
    return ray


def _describe_cluster(ray: Any) -> str:
    """Say which cluster it is, and how large: nothing else shows that it is another one than its user thinks."""
    nodes = _list_nodes(ray)
    address = os.environ.get("RAY_ADDRESS")
    name = f"the cluster at {address}" if address else "this machine alone, since RAY_ADDRESS is not set"
    return f"{name}: {len(nodes)} node(s), {sum(cpus for cpus, _ in nodes)} CPU, {sum(gpus for _, gpus in nodes)} GPU"


def _explain_idle_gpus(nodes: list[tuple[int, int]], threads: int) -> str:
    """Say how many GPUs stay idle because their nodes have too few CPUs for a process each; nothing if none does.

    >>> _explain_idle_gpus([(16, 8)], 4)
    '; 4 GPU stay idle: a process takes 4 CPU and one GPU of a node; set machine.threads to 2 or less'
    """
    idle = sum(max(0, gpus - cpus // threads) for cpus, gpus in nodes)
    if not idle:
        return ""
    most = min(cpus // gpus for cpus, gpus in nodes if gpus)
    advice = f"set machine.threads to {most} or less" if most else "give the nodes more CPUs than GPUs"
    return f"; {idle} GPU stay idle: a process takes {threads} CPU and one GPU of a node; {advice}"


def _list_nodes(ray: Any) -> list[tuple[int, int]]:
    """List the CPUs and GPUs of each node that answers."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes]


def _count_cpus(ray: Any) -> int:
    """Return the CPUs of the largest node, where they are fewer than a process's threads; a large number if none."""
    if os.environ.get("RAY_ADDRESS"):
        return sys.maxsize  # larger nodes may still come
    return int(ray.cluster_resources().get("CPU", 1))


def _find_hardware(ray: Any, slots: _Slots, gpu: bool) -> str:
    """Return the hardware and libraries of the first process of a node; say what the cluster lacks while it waits."""
    task = slots.remote(_describe).remote(gpu)
    if not ray.wait([task], timeout=HINT_SECONDS)[0]:
        print(f"waiting for a node of the Ray cluster: {slots.explain()}", file=sys.stderr, flush=True)
    return _receive(ray, task, Path("the first file"))


def _receive(ray: Any, task: Any, path: Path) -> Any:
    """Return what a task returned.

    Args:
        ray: the module.
        task: the task.
        path: its first file, for the message.

    Raises:
        UserError: the task raised it, or its process was ended too often.
        Exception: another error of the task, with the traceback of its process.
    """
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, UserError) else error) from None
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(
            f"{path}: the process of the Ray cluster that made it was ended each time "
            f"({type(error).__name__}: {first}); where memory runs out, give a node fewer slots "
            "(ray start --num-cpus), or make batches smaller"
        ) from None


def _make(work: _Work, parts: Mapping[Path, Any]) -> list[int]:
    """Make the files of some parts in a process of a node, and return their sizes in bytes."""
    if work.key not in _opened:
        _enter(work.folder)
        here = _describe(work.gpu)
        if here != work.hardware:
            raise UserError(
                f"the nodes of the Ray cluster differ, and so would the last bits of what they compute: {here}; "
                f"another has {work.hardware}; use one kind of node, with one environment"
            )
        keep_freed_memory()
        _opened.clear()
        _opened[work.key] = work.open(*work.arguments)
    _opened[work.key]({path: part for path, part in parts.items() if not path.is_file()})
    return [path.stat().st_size for path in parts]


def _enter(folder: str) -> None:
    """Make the study's folder the current one.

    Raises:
        UserError: this node does not see it.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(
            f"{folder}: node {platform.node()} of the Ray cluster does not see the study's folder ({error.strerror}); "
            "all nodes must see it, and CHECKPOINT_DIR if it is set, on one file system under the same path"
        ) from None


def _describe(gpu: bool) -> str:
    """Describe the hardware and the libraries that the bits of a result depend on."""
    parts = [name_processor()]
    if gpu:
        import torch

        parts.append(torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU that PyTorch finds")
    parts.append(f"Python {platform.python_version()}")
    return ", ".join([*parts, *_list_versions()])


def _list_versions() -> Iterator[str]:
    for library in LIBRARIES:
        try:
            yield f"{library} {importlib.metadata.version(library)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"no {library}"


def _cut(parts: Mapping[Path, Any], size: int) -> Iterator[dict[Path, Any]]:
    """Cut parts into tasks of `size`."""
    rest = iter(parts.items())
    while task := dict(islice(rest, size)):
        yield task


def _wait_until_seen(path: Path, size: int) -> None:
    """Wait until this machine sees a file that a node wrote.

    Raises:
        UserError: it does not.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while not (path.is_file() and path.stat().st_size == size):
        if time.monotonic() > end:
            raise UserError(
                f"{path}: a node wrote it, but it is not seen here; all nodes must see the study's folder "
                f"({os.getcwd()}), and CHECKPOINT_DIR if it is set, on one file system under the same path"
            )
        for folder in (path.parent.parent, path.parent):  # asks the server again; a node may have made the folder too
            with suppress(FileNotFoundError):
                os.listdir(folder)
        time.sleep(0.2)
