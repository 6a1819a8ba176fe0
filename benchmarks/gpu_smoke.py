"""python benchmarks/gpu_smoke.py prepare|measure FOLDER: what only a GPU shows, in two calls.

`prepare` makes a project in the folder: 2,000 portrait pictures, drawn from a seed, with descriptions of random words,
and BLIP-2-OPT-2.7B, LLaVA-1.5-7B, CLIP and ResNet-50 with random weights of the published shapes, in bf16. Nothing is
downloaded. `measure` runs every part in a process of its own and writes report.json there:

- features: pictures a second of resnet50, clip and BLIP-2, in batches against one by one, and the least cosine
- captions: pictures a second of both captioners, in batches against one by one, and the share of equal words
- training: tokens a second of BLIP-2 with plain Trainer, by the study's recipe, and ours, at which loss
- resume: the stage caption_train with both captioners, whole and killed and resumed: the same bytes, or the largest
  difference; and the peak of its memory beside the estimate of `lookbook doctor`

Needed on the machine: what pyproject.toml lists for captioning and recommenders (torch for CUDA, transformers, peft,
accelerate, safetensors, pyarrow, pandas, Pillow, ruamel.yaml, dvclive), this repository with its small models, 40 GB of
disk and a GPU of 80 GB. A part that fails is reported and the others go on; then the exit status is 1. It is sized for
10 minutes on one H100, by arithmetic and not yet by a run; `--parts` divides it. Without a GPU, to try the script:
`prepare FOLDER --size tiny --pictures 40`, `measure FOLDER --device cpu`.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FAMILIES = {"blip2": "blip2_opt", "llava": "llava"}
PARTS = ["features", "captions", "training", "resume"]
SEED = 20_000
ALONE = 16  # pictures that are captioned one by one: each takes as long as a batch
SECONDS = 420  # after which a part is given up


def set_device(path: Path, device: str) -> str:
    """Set the device in the parameters and return the precision that they name."""
    from ruamel.yaml import YAML

    yaml = YAML()
    params = yaml.load(path)
    params["device"] = device
    yaml.dump(params, path)
    return str(params["caption_train"]["precision"])


def measure(folder: Path, device: str, parts: list[str]) -> int:
    """Run the parts, print and write what they found, and return the number that failed."""
    precision = set_device(folder / "params.yaml", device)
    shared = ["--device", device, "--precision", precision, "--batch-size", "64", "--threads", "1"]
    features = str(ROOT / "benchmarks/image_features.py")
    runs = {
        "features": {name: [features, *shared, "--of", name] for name in ("resnet50", "clip", "blip2")},
        "captions": {name: own_part("captions", name, device) for name in FAMILIES},
        "training": {arm: own_part("training", arm, device) for arm in ("study", "plain", "ours")},
        "resume": {name: own_part("resume", name, device) for name in FAMILIES},
    }
    report: dict[str, dict[str, Any]] = {}
    for part in parts:
        report[part] = {name: run(command, folder) for name, command in runs[part].items()}
        for name, found in report[part].items():
            print(f"{part:10}{name:10}{json.dumps(found)}", flush=True)
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return sum("failed" in found for rows in report.values() for found in rows.values())


def own_part(part: str, name: str, device: str) -> list[str]:
    """Return the arguments that make this script run one part itself."""
    return [__file__, "measure", ".", "--device", device, "--of", part, name]


def run(command: list[str], folder: Path) -> dict[str, Any]:
    """Run a script in the folder, in a process of its own, and parse its last line; or say how it failed."""
    start = time.monotonic()
    try:
        ended = subprocess.run(
            [sys.executable, *command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not ready after {SECONDS} s"}
    if ended.returncode:
        return {"failed": ended.stderr[-2000:]}
    return json.loads(ended.stdout.splitlines()[-1]) | {"process_seconds": round(time.monotonic() - start, 1)}


def environment() -> dict[str, str]:
    """Return the environment of a part's process."""
    here = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}", "TOKENIZERS_PARALLELISM": "false"}
    return os.environ | here | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def read_params() -> dict[str, Any]:
    """Read params.yaml of the working directory."""
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(Path("params.yaml"))


def measure_captions(name: str, device: str) -> dict[str, Any]:
    """Caption the test pictures in batches and some of them one by one; rates are pictures per second of wall time."""
    import generation

    from captioning.modelling import DTYPES, load
    from captioning.training.examples import read_split

    section = read_params()["caption_generate"]
    captioner = load(Path("data/models") / name, FAMILIES[name], DTYPES[section["precision"]], device)
    ids = read_split(Path("data/prepared/items.parquet"), "test")["item_id"].tolist()
    arguments = argparse.Namespace(images=Path("data/prepared/images"), **section)
    alone = ids[:ALONE]
    generation.ours(captioner, alone, arguments)
    times: list[dict[str, float]] = [{}, {}]
    with generation.clock(times[0]):
        batched = generation.ours(captioner, ids, arguments)
    with generation.clock(times[1]):
        single = generation.single(captioner, alone, arguments)
    equal = sum(one == other for one, other in zip(single, batched, strict=False)) / len(alone)
    rates = len(ids) / times[0]["wall"], len(alone) / times[1]["wall"]
    return {"pictures": len(ids), "batches": rates[0], "one_by_one": rates[1], "equal_words": equal}


def measure_training(arm: str, device: str) -> dict[str, Any]:
    """Fine-tune BLIP-2 by one arm of benchmarks/fine_tuning.py; tokens without padding, seconds without loading."""
    import fine_tuning

    found = fine_tuning.measure_arm(arm, Path("run") / arm, Path("items.parquet"), Path("data/models/blip2"), SEED)
    return {"tokens_per_second": found["tokens"] / found["wall"], **found}


def measure_resume(name: str, device: str) -> dict[str, Any]:
    """Run the stage caption_train whole, then killed at its first checkpoint and resumed; compare the adapters."""
    from accelerate.utils.memory import clear_device_cache

    adapter = Path("data/adapters") / name / "adapter_model.safetensors"
    command = [sys.executable, "-m", "captioning.train", "--captioner", name, "--family", FAMILIES[name]]
    start = time.monotonic()
    estimated, peak = train_whole(name), read_peak()
    seconds = time.monotonic() - start
    clear_device_cache(garbage_collection=True)  # the runs that follow are other processes on the same GPU
    first = adapter.rename(f"{name}-whole.safetensors")
    with subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as killed:
        while killed.poll() is None and not list(Path(".checkpoints").glob("*/checkpoint-*[0-9]")):
            time.sleep(0.02)
        was_running = killed.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(killed.pid, signal.SIGKILL)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {
        "killed_while_running": was_running,
        "largest_difference": compare_weights(first, adapter),
        "seconds": seconds,
        "peak_gb": peak if device == "cuda" else None,
        "doctor_gb": estimated,
    }


def train_whole(name: str) -> float:
    """Run the stage in this process, and return the GB that `lookbook doctor` estimates for it."""
    from captioning import train
    from lookbook.workspace import memory

    sys.argv = ["captioning.train", "--captioner", name, "--family", FAMILIES[name]]
    train.main()
    params = read_params()
    return memory.estimate(name, params).total(params["machine"]["device_batch_size"])


def read_peak() -> float:
    """Return the most memory that this process had on the GPU, in GB; 0 without one."""
    import torch

    return torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0.0


def compare_weights(one: Path, other: Path) -> float:
    """Return the largest difference between two files of weights; 0 only where their bytes are the same."""
    from safetensors.torch import load_file

    if one.read_bytes() == other.read_bytes():
        return 0.0
    weights, others = load_file(one), load_file(other)
    largest = max((weights[key].float() - others[key].float()).abs().max().item() for key in weights)
    return largest or float("nan")


OWN = {"captions": measure_captions, "training": measure_training, "resume": measure_resume}


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["prepare", "measure"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=["full", "tiny"], default="full", help="of prepare")
    parser.add_argument("--pictures", type=int, default=2_000, help="of prepare")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--parts", default=",".join(PARTS), help="of measure")
    parser.add_argument("--of", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Prepare, or measure."""
    arguments = parse_arguments()
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    if arguments.of:
        part, name = arguments.of
        print(json.dumps(OWN[part](name, arguments.device)))
    elif arguments.command == "prepare":
        device = "cpu" if arguments.size == "tiny" else arguments.device
        import smoke_project

        smoke_project.prepare(arguments.folder, arguments.size, arguments.pictures, device)
    elif measure(arguments.folder, arguments.device, arguments.parts.split(",")):
        sys.exit(1)


if __name__ == "__main__":
    main()
