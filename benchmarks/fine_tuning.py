"""python benchmarks/fine_tuning.py [--epochs 4] [--items 0] [--seeds 1] [--device cuda]: time fine-tuning.

Compares three ways to fine-tune one BLIP-2 (OPT) on the same captions for the same number of epochs, with the same
LoRA, learning rate and effective batch. Each runs in a process of its own, in turn:

- study: captions padded to 512 tokens; every epoch decodes every image and runs the vision tower
- plain: transformers' Trainer and peft; batches padded to their longest caption; images as above
- ours:  `captioning.training` as the stage `caption_train` runs it; its feature pass is counted

All arms frame captions as we do and supervise caption and EOS only. (The study also supervised the padding, which
costs nothing and spoils the loss.) All evaluate and save after every epoch. Loading the model is not counted;
everything else after the imports is. The same code measures the validation loss of all arms afterwards. OPT counts
positions by the mask, so 512 tokens of padding fit into the small model's 160 positions.

The last line states the ratio of ours to plain beside their mean validation losses over the seeds, and whether these
are within 0.5 %: a ratio at another loss is no ratio.

Run it in a project: it reads params.yaml, data/prepared (`dvc repro catalogue_prepare`) and
data/models/tiny-blip2-opt. `--full-shapes` takes random weights in the shapes of BLIP-2-OPT-2.7B instead; `--divide
4` takes a quarter of its widths and depths, to try that without a GPU. With `--device cuda` training is in bf16,
rates are by wall time and peak memory is the GPU's. `10 epochs` is the preparation plus ten times an epoch. Tokens
are those of prompt and caption, without padding.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
MODEL = Path("data/models/tiny-blip2-opt")
ARMS = ["study", "plain", "ours"]
STUDY_TOKENS = 512  # image tokens included
EPOCHS_SHOWN = 10
ROWS_AT_ONCE = 64
SAME_LOSS = 0.005  # share of plain's loss within which ours counts as the same
FIRST_SEED = 42
TIMED = {"load": "loading", "load_splits": "preparing"}  # functions of captioning.training.fine_tuning, as parts


def measure_arm(name: str, folder: Path, items: Path, model: Path, seed: int) -> dict[str, float]:
    """Run an arm in this process, with its checkpoints in `folder`; seconds are without loading."""
    import plain_trainer
    import torch
    from clock import Clock

    from captioning.training import fine_tuning
    from captioning.training.settings import Params
    from pipeline.core.memory import keep_freed_memory
    from pipeline.core.params import read

    params = read(Params, items.parent / "params.yaml").model_copy(update={"seed": seed})
    clock = Clock()
    for function, part in TIMED.items():
        clock.watch(fine_tuning, function, part)
    if name == "ours":
        keep_freed_memory()
        adapter = fine_tuning.fine_tune(model, "blip2_opt", items, IMAGES, params, folder).best
    else:
        tokens = STUDY_TOKENS if name == "study" else None
        adapter = plain_trainer.train(params, items, IMAGES, model, folder, tokens)
    wall, cpu = clock.since(clock.start)
    (load_wall, load_cpu), (prepare_wall, _) = clock.parts["loading"], clock.parts["preparing"]
    peak = torch.cuda.max_memory_allocated() if params.device == "cuda" else peak_memory()
    return {
        "wall": wall - load_wall,
        "cpu": cpu - load_cpu,
        "preparing": prepare_wall,
        "peak_mb": peak / 1e6,
        **measure_loss(params, items, model, adapter),
    }


def peak_memory() -> int:
    """Return the peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure_loss(params: Any, items: Path, model: Path, adapter: Path) -> dict[str, float]:
    """Return the validation loss with this adapter, and the captions and tokens (no padding) of all epochs."""
    import torch

    from captioning.modelling import DTYPES, load
    from captioning.training.examples import CaptionedImages, make_collator, read_split
    from captioning.training.loss import count_supervised, sum_loss
    from catalogue.prepared.images import ImageStore

    dtype = DTYPES[params.caption_train.precision]
    captioner = load(model, "blip2_opt", dtype, params.device, adapter)
    data = CaptionedImages(captioner, ImageStore(IMAGES), read_split(items, "validation"), dtype)
    loss = tokens = 0.0
    with torch.inference_mode():
        for start in range(0, len(data), ROWS_AT_ONCE):
            rows = [data[row] for row in range(start, min(start + ROWS_AT_ONCE, len(data)))]
            batch = {name: tensor.to(params.device) for name, tensor in make_collator(captioner.pad_id)(rows).items()}
            loss += sum_loss(captioner, captioner.model, batch).item()
            tokens += count_supervised(batch["labels"]).item()
    training = read_split(items, "train")
    framed = sum(map(len, captioner.tokenizer(training["description"].tolist(), add_special_tokens=False)["input_ids"]))
    framed += len(training) * (len(captioner.family.encode_prompt(captioner)) + 1)
    return {
        "loss": loss / tokens,
        "captions": len(training) * params.epochs,
        "tokens": framed * params.epochs,
        "epochs": params.epochs,
    }


def prepare(arguments: argparse.Namespace, scratch: Path) -> tuple[Path, Path]:
    """Write the parameters, the items and, for --full-shapes, the model; return the paths of items and model."""
    import pandas as pd
    from ruamel.yaml import YAML

    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params |= {"epochs": arguments.epochs, "device": arguments.device}
    params["machine"] |= {"threads": arguments.threads}
    params["caption_train"] |= {"precision": "bf16" if arguments.full_shapes and arguments.device == "cuda" else "fp32"}
    params["caption_train"]["patience"] = arguments.epochs  # all epochs in every arm
    yaml.dump(params, scratch / "params.yaml")
    items = pd.read_parquet(ITEMS).sort_values("item_id")
    if arguments.items:
        training = items[items["split"] == "train"]
        items = items.drop(training.index[arguments.items :])
    items.to_parquet(scratch / "items.parquet")
    if not arguments.full_shapes:
        return scratch / "items.parquet", MODEL
    import full_shapes

    return scratch / "items.parquet", full_shapes.write(scratch / "model", arguments.divide, MODEL)


def run_arm(name: str, scratch: Path, items: Path, model: Path, seed: int) -> dict[str, float]:
    """Run an arm in a process of its own and return its last line, which is the result."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        command = [sys.executable, __file__, "--arm", name, folder, str(items), str(model), str(seed)]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment())
    return json.loads(ended.stdout.splitlines()[-1])


def environment() -> dict[str, str]:
    """Return the environment of an arm's process."""
    return os.environ | {"PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}


def verdict(results: dict[str, list[dict[str, float]]], by_wall: bool) -> str:
    """State the speed of ours against plain, beside the losses at which it holds."""
    key = "wall" if by_wall else "cpu"
    ours, plain = results["ours"], results["plain"]
    ratios = [b[key] / a[key] for a, b in zip(ours, plain, strict=True)]
    losses = [statistics.mean(row["loss"] for row in rows) for rows in (ours, plain)]
    difference = losses[0] / losses[1] - 1
    same = "the same" if abs(difference) <= SAME_LOSS else "NOT the same"
    speed = f"{statistics.mean(ratios):.2f} × ({min(ratios):.2f} to {max(ratios):.2f}) over {len(ratios)} seeds"
    found = f"{losses[0]:.4f} and {losses[1]:.4f} ({difference:+.2%}): {same} within {SAME_LOSS:.1%}"
    return f"ours/plain: {speed}, at validation losses of {found}"


def table(results: dict[str, list[dict[str, float]]], by_wall: bool) -> list[str]:
    """Format medians over the seeds; the ratio is ours to that arm."""
    medians = {
        name: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for name, rows in results.items()
    }
    rate = {name: row["captions"] / row["wall" if by_wall else "cpu"] for name, row in medians.items()}
    unit = "captions/s" if by_wall else "captions/CPU s"
    head = f"{'arm':8}{unit:>15}{'ours/arm':>10}{'loss':>9}{'CPU s':>9}{'wall s':>9}"
    lines = [head + f"{'preparing s':>13}{'tokens/s':>10}{'10 epochs s':>13}{'peak MB':>10}"]
    for name, row in medians.items():
        ratio = rate["ours"] / rate[name] if "ours" in rate else float("nan")
        epoch = (row["wall"] - row["preparing"]) / row["epochs"]
        lines.append(
            f"{name:8}{rate[name]:15.1f}{ratio:10.2f}{row['loss']:9.4f}{row['cpu']:9.1f}{row['wall']:9.1f}{row['preparing']:13.1f}"
            f"{row['tokens'] / row['wall']:10.0f}{row['preparing'] + EPOCHS_SHOWN * epoch:13.1f}{row['peak_mb']:10.0f}"
        )
    return lines


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument(
        "--items", type=int, default=0, help="number of training items, the first by id (default: 0, all)"
    )
    parser.add_argument("--seeds", type=int, default=1, help="runs of each arm, with a seed each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--full-shapes", action="store_true")
    parser.add_argument("--divide", type=int, choices=[1, 2, 4], default=1)
    parser.add_argument("--arm", nargs=5, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = parse_arguments()
    if arguments.arm:
        name, folder, items, model, seed = arguments.arm
        print(json.dumps(measure_arm(name, Path(folder) / "run", Path(items), Path(model), int(seed))))
        return
    if not ITEMS.exists():
        sys.exit(f"{ITEMS}: no such file; run `dvc repro catalogue_prepare`")
    results: dict[str, list[dict[str, float]]] = {name: [] for name in arguments.arms.split(",")}
    with tempfile.TemporaryDirectory() as scratch:
        items, model = prepare(arguments, Path(scratch))
        for seed in range(FIRST_SEED, FIRST_SEED + arguments.seeds):
            for name in results:
                results[name].append(run_arm(name, Path(scratch), items, model, seed))
                print(f"{name}, seed {seed}: {results[name][-1]}", flush=True)
    print("\n".join(table(results, by_wall=arguments.device == "cuda")))
    if {"ours", "plain"} <= results.keys():
        print(verdict(results, by_wall=arguments.device == "cuda"))


if __name__ == "__main__":
    main()
