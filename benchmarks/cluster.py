"""python benchmarks/cluster.py [--users N --items N --pictures N --files N]: time a Ray cluster against one process.

Two nodes of one core on this machine against one process of two threads, and what parts cost beyond the work:

- files:    empty files, a part each: seconds a part
- knn:      neighbours of UserKNN (10, Elliot's) and lists of 12, of synthetic purchases. `files` makes the ranges of
            the cluster in this process: what cutting costs
- captions: a small captioner, in batches. `plain` writes no file, and knows nothing of parts

`process` is what `machine.cluster: none` takes. kNN is one range then, and writes no file. Each arm runs
in a process of its own, in turn; CPU seconds are those of the driver and of the nodes, without imports, and the wall
seconds of `nodes` hold the connection and the start of its processes. The outputs of all arms must be equal.
"""

import argparse
import contextlib
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MODEL, FAMILY = "tiny-blip2-opt", "blip2_opt"
WORK = {"files": ["process", "nodes"], "knn": ["process", "files", "nodes"], "captions": ["plain", "process", "nodes"]}
THREADS = 2
DEPTH = 12
NODES = "BENCHMARK_NODES"  # environment: the ids of the nodes' first processes


def write_files(arm: str, folder: Path, arguments: argparse.Namespace) -> Iterator[bytes]:
    """Write files of a number each."""
    from pipeline.cluster import make_files
    from tests.helpers.cluster_work import open_numbers

    parts = {folder / f"{number}.txt": number for number in range(arguments.files)}
    for path in make_files(parts, open_numbers, 3, where=place(arm)):
        yield path.read_bytes()


def rank_purchases(arm: str, folder: Path, arguments: argparse.Namespace) -> Iterator[bytes]:
    """Find the neighbours of every user, and rank the best unseen items."""
    import numpy as np
    import scipy.sparse as sp

    from recsys.ranking.ranges import Sharing
    from recsys.ranking.recommend import recommend
    from recsys.ranking.scorers import SparseProduct
    from recsys.recommenders._neighbours import find_nearest

    train = sp.load_npz(arguments.folder / "purchases" / "train.npz")
    where = place(arm)
    sharing = None if arm == "process" else Sharing(folder, where)
    similar = find_nearest(train, 10, True, where.threads, sharing=sharing)
    pools = {"all": np.ones(train.shape[1], dtype=bool)}
    scorer = SparseProduct(similar.T.tocsr(), train)
    for values in recommend(scorer, train, DEPTH, pools, where.threads, sharing=sharing)["all"]:
        yield values.tobytes()


def caption_pictures(arm: str, folder: Path, arguments: argparse.Namespace) -> Iterator[bytes]:
    """Caption pictures in batches."""
    import torch

    from captioning.generation.batch_files import (
        caption_batches,
        load_captioner,
        open_captioner,
        read_batch,
        write_batches,
    )
    from captioning.generation.settings import Params
    from catalogue.prepared.images import ImageStore
    from pipeline.batches import make_batches
    from pipeline.core.params import REFERENCE, load

    where = place(arm)
    torch.set_num_threads(where.threads)
    reference = load(REFERENCE)
    params = Params(**{name: reference[name] for name in Params.model_fields})
    params = params.model_copy(update={"machine": params.machine.model_copy(update={"threads": where.threads})})
    images = (arguments.folder / "images").absolute()
    model = (arguments.models / MODEL).absolute()
    size, limit = params.caption_generate.batch_size, params.caption_generate.max_new_tokens
    if arm == "plain":
        store, captioner = ImageStore(images), load_captioner(model, FAMILY, None, params)
        for batch in caption_batches(captioner, store, make_batches(store.ids, size), limit):
            yield repr([caption.text for caption in batch]).encode()
        return
    files = write_batches(
        ImageStore(images).ids, size, folder, where, open_captioner, model, FAMILY, None, params, images
    )
    for file in files:
        yield repr([caption.text for caption in read_batch(file)]).encode()


DO: dict[str, Callable[[str, Path, argparse.Namespace], Iterator[bytes]]] = {
    "files": write_files,
    "knn": rank_purchases,
    "captions": caption_pictures,
}


def place(arm: str) -> Any:
    """Return where an arm works: nodes of a core, or this process with two threads."""
    from pipeline.machine import Where

    return Where("ray", 1) if arm == "nodes" else Where("none", THREADS)


def run_arm(work: str, arm: str, arguments: argparse.Namespace) -> None:
    """Do the work in this process, and print a line of JSON."""
    from pipeline.core.memory import keep_freed_memory

    keep_freed_memory()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        wall, used, digest = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF), hashlib.sha256()
        for content in DO[work](arm, Path(folder).absolute(), arguments):
            digest.update(content)
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        row = {"wall": time.perf_counter() - wall, "cpu": cpu, "sha256": digest.hexdigest()}
    print(json.dumps(row | {"nodes": count_cpu()}))  # now: a node forgets the seconds of processes that have ended


def run_apart(work: str, arm: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run an arm in a process of its own; the CPU seconds of nodes count as well."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in vars(arguments).items() if name != "of"]
    command = [sys.executable, os.path.abspath(__file__), *words, "--of", work, arm]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(1 if arm == "nodes" else THREADS)}
    with contextlib.ExitStack() as stack:
        if arm == "nodes":
            from tests.helpers.ray_nodes import start_two_nodes

            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            nodes = stack.enter_context(start_two_nodes(scratch))
            pids = [str(process.pid) for process in nodes.processes.values()]
            environment |= {**nodes.environment, NODES: ",".join(pids)}
        before = count_cpu(environment.get(NODES, ""))
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        row = json.loads(ended.stdout.splitlines()[-1])
        return row | {"cpu": row["cpu"] + row["nodes"] - before}


def count_cpu(nodes: str | None = None) -> float:
    """Count the CPU seconds of all processes of the nodes.

    Args:
        nodes: the ids of their first processes, with commas between; None: those that the environment names.
    """
    import psutil

    text = os.environ.get(NODES, "") if nodes is None else nodes
    first = [psutil.Process(int(pid)) for pid in text.split(",") if pid]
    members = [member for process in first for member in (process, *process.children(recursive=True))]
    return sum(sum(member.cpu_times()[:4]) for member in members)


def compare(work: str, arguments: argparse.Namespace) -> None:
    """Run the arms of one kind of work in turn, and print their medians.

    Raises:
        SystemExit: the outputs of two arms differ.
    """
    rows: dict[str, list[dict[str, Any]]] = {arm: [] for arm in WORK[work]}
    for _ in range(arguments.rounds):
        for arm in rows:
            rows[arm].append(run_apart(work, arm, arguments))
    for arm, ended in rows.items():
        wall, cpu = (statistics.median(row[key] for row in ended) for key in ("wall", "cpu"))
        note = f"{1000 * wall / arguments.files:9.2f} ms a part" if work == "files" else ""
        print(f"{work:10}{arm:10}{wall:9.2f}{cpu:9.2f}{note}", flush=True)
    if "plain" in rows:
        plain, own = (statistics.median(row["cpu"] for row in rows[arm]) for arm in ("plain", "process"))
        print(f"{work:10}process against plain: {100 * (own / plain - 1):+.1f} % CPU", flush=True)
    if len({row["sha256"] for ended in rows.values() for row in ended}) > 1:
        sys.exit(f"error: the outputs of {work} differ between arms")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Two nodes of one core against one process of two threads.")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--pictures", type=int, default=1_000)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", default=",".join(WORK), help="of files, knn, captions")
    parser.add_argument("--models", type=Path, default=ROOT / "data/models")
    parser.add_argument("--folder", type=Path, help="where purchases and pictures are kept from one run to the next")
    parser.add_argument("--of", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = parse_arguments()
    if arguments.of:
        work, arm = arguments.of
        run_arm(work, arm, arguments)
        return
    sys.path.insert(0, str(ROOT))
    import generation
    import synthetic

    with tempfile.TemporaryDirectory() as scratch:
        arguments.folder = arguments.folder or Path(scratch)
        works = arguments.work.split(",")
        if "knn" in works and not (arguments.folder / "purchases").exists():
            purchases = (arguments.users, arguments.items, synthetic.PURCHASES_PER_USER)
            synthetic.call_apart(synthetic.write, arguments.folder / "purchases", *purchases)
        if "captions" in works and not (arguments.folder / "images").exists():
            generation.draw(arguments.folder / "images", arguments.pictures)
        print(f"{'work':10}{'arm':10}{'wall s':>9}{'CPU s':>9}")
        for work in works:
            compare(work, arguments)


if __name__ == "__main__":
    main()
