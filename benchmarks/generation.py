"""python benchmarks/generation.py: time captions in batches against one image at a time; the words must be the same.

- single: the loop of the model cards, transformers' processor and `generate` on each image
- ours:   as the stage caption_generate does it, in batches that are written to disk, by a process that keeps freed
          memory

Both read the same packed JPEGs, decode greedily, and are timed from there to the text, without loading, in float32
with `--threads` threads. The generator of the small models draws the images, from a seed that no training used. The
benchmark fails if a caption differs.

With --device cuda --precision bf16 it runs on a GPU, where a batch may round to another word; it prints the share.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "data/models"
FAMILIES = {"tiny-blip2-opt": "blip2_opt", "tiny-blip2-t5": "blip2_t5", "tiny-llava": "llava"}
SEED = 2_000_000
WARM = 8  # images that each arm captions before the clock starts


@contextmanager
def clock(seconds: dict[str, float]) -> Iterator[None]:
    """Write wall and CPU seconds of this process and its threads to `seconds`."""
    wall, usage = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    yield
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds["cpu"] = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    seconds["wall"] = time.perf_counter() - wall


def draw(folder: Path, n: int) -> list[str]:
    """Draw and pack n pictures, and return their ids."""
    from catalogue.prepared.images import pack_images
    from sample.pretraining.examples import draw_pictures

    data = {}
    for number, picture in enumerate(draw_pictures(n, SEED)):
        buffer = io.BytesIO()
        picture.image.save(buffer, "JPEG", quality=90)
        data[f"{number:010d}"] = buffer.getvalue()
    folder.mkdir(parents=True)
    pack_images(folder, {item: item for item in data}, lambda item: data[item], 256)
    return list(data)


def single(captioner: Any, ids: list[str], arguments: argparse.Namespace) -> list[str]:
    """Caption every image by itself."""
    import torch

    from catalogue.prepared.images import ImageStore

    store, texts = ImageStore(arguments.images), []
    stop = {"eos_token_id": captioner.eos_ids, "pad_token_id": captioner.pad_id}
    for item in ids:
        inputs = captioner.processor(images=store[item], text=captioner.family.PROMPT, return_tensors="pt")
        inputs = inputs.to(captioner.base.device, captioner.base.dtype)
        with torch.inference_mode():
            generated = captioner.model.generate(
                **inputs, do_sample=False, max_new_tokens=arguments.max_new_tokens, **stop
            )
        prompt = 0 if captioner.is_encoder_decoder else inputs["input_ids"].shape[1]
        texts.append(captioner.tokenizer.decode(generated[0, prompt:], skip_special_tokens=True).strip())
    return texts


def ours(captioner: Any, ids: list[str], arguments: argparse.Namespace) -> list[str]:
    """Caption in batches, as the stage does it."""
    from captioning.generation.batch_files import open_captions, read_batch, write_batches
    from catalogue.prepared.images import ImageStore
    from pipeline.core.memory import keep_freed_memory
    from pipeline.machine import HERE

    keep_freed_memory()
    store = ImageStore(arguments.images)
    with tempfile.TemporaryDirectory() as folder:
        files = write_batches(
            ids, arguments.batch_size, Path(folder), HERE, open_captions, captioner, store, arguments.max_new_tokens
        )
        return [caption.text for file in files for caption in read_batch(file)]


def measure(name: str, arguments: argparse.Namespace) -> None:
    """Run both arms with one captioner in this process, and print a line of JSON."""
    import torch

    from captioning.modelling import DTYPES, load
    from catalogue.prepared.images import ImageStore

    torch.set_num_threads(arguments.threads)
    adapter = arguments.adapters / name if arguments.adapters else None
    captioner = load(MODELS / name, FAMILIES[name], DTYPES[arguments.precision], arguments.device, adapter)
    ids, result, texts = ImageStore(arguments.images).ids, {}, {}
    for arm in (single, ours):
        arm(captioner, ids[:WARM], arguments)
        result[arm.__name__] = seconds = {"cpu": 0.0, "wall": 0.0}
        with clock(seconds):
            texts[arm.__name__] = arm(captioner, ids, arguments)
    equal = sum(alone == batched for alone, batched in zip(texts["single"], texts["ours"], strict=True))
    print(json.dumps(result | {"equal": equal / len(ids), "different": len(set(texts["ours"]))}))


def run_measure(
    name: str, arguments: argparse.Namespace, script: str = __file__, folder: Path | None = None
) -> dict[str, Any]:
    """Run `script --of name` in a process of its own, in the folder if there is one, and parse its last line."""
    chosen = {key: value for key, value in vars(arguments).items() if value is not None}
    words = [word for key, value in chosen.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(arguments.threads)}
    command = [sys.executable, os.path.abspath(script), *words, "--of", name]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=folder)
    return json.loads(ended.stdout.splitlines()[-1])


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--batch-size", type=int, default=64, help="of ours")
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--images", type=Path, help="a folder of packed images, instead of drawn ones")
    parser.add_argument("--adapters", type=Path, help="such as data/adapters: fine-tuned captions, which are longer")
    parser.add_argument("--of", choices=list(FAMILIES), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = parse_arguments()
    if arguments.of:
        measure(arguments.of, arguments)
        return
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.images is None:
            arguments.images = Path(scratch) / "images"
            draw(arguments.images, arguments.items)
        key = "wall" if arguments.device == "cuda" else "cpu"
        seconds = f"{f'single {key} s':>14}{f'ours {key} s':>14}"
        print(f"{'captioner':16}{seconds}{'ratio':>8}{'wall ratio':>12}{'same words':>12}{'texts':>7}")
        for name in FAMILIES:
            row = run_measure(name, arguments)
            single_seconds, our_seconds = (row[arm][key] for arm in ("single", "ours"))
            wall = row["single"]["wall"] / row["ours"]["wall"]
            print(
                f"{name:16}{single_seconds:14.1f}{our_seconds:14.1f}{single_seconds / our_seconds:8.1f}"
                f"{wall:12.1f}{row['equal']:12.1%}{row['different']:7}",
                flush=True,
            )
            if arguments.device == "cpu" and row["equal"] < 1:
                sys.exit(f"{name}: {1 - row['equal']:.1%} of the captions differ")


if __name__ == "__main__":
    main()
