"""python benchmarks/generation.py: captions in batches against one image at a time, in seconds, with the same words.

`single` is the loop of the model cards: transformers' processor and `generate` on one image after another. `ours` is what
stage caption_generate does: batches, each kept on disk when it is finished, by a process that keeps freed memory. Both read
the same packed JPEGs, decode greedily, and are timed from there to the text, without loading; in float32, with as many
threads as --threads says. Images are drawn by the generator of the small models, from a seed that no training saw. The
words of both must be the same, or it fails.

With --device cuda --precision bf16 the same on a GPU, where a batch may round to another word: the share is printed.
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
def clock(spent: dict[str, float]) -> Iterator[None]:
    """Adds wall and CPU seconds of this process, its threads counted."""
    wall, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    yield
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent["cpu"] = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    spent["wall"] = time.perf_counter() - wall


def draw(folder: Path, n: int) -> list[str]:
    """Packs n pictures; their ids."""
    from catalogue.prepared.images import pack_images
    from sample.pretraining.world import pictures

    data = {}
    for number, picture in enumerate(pictures(n, SEED)):
        buffer = io.BytesIO()
        picture.image.save(buffer, "JPEG", quality=90)
        data[f"{number:010d}"] = buffer.getvalue()
    folder.mkdir(parents=True)
    pack_images(folder, {item: item for item in data}, lambda item: data[item], 256)
    return list(data)


def single(captioner: Any, ids: list[str], given: argparse.Namespace) -> list[str]:
    """Every image by itself."""
    import torch

    from catalogue.prepared.images import ImageStore

    store, texts = ImageStore(given.images), []
    stop = {"eos_token_id": captioner.eos_ids, "pad_token_id": captioner.pad_id}
    for item in ids:
        inputs = captioner.processor(images=store[item], text=captioner.family.PROMPT, return_tensors="pt")
        inputs = inputs.to(captioner.base.device, captioner.base.dtype)
        with torch.inference_mode():
            said = captioner.model.generate(**inputs, do_sample=False, max_new_tokens=given.max_new_tokens, **stop)
        prompt = 0 if captioner.is_encoder_decoder else inputs["input_ids"].shape[1]
        texts.append(captioner.tokenizer.decode(said[0, prompt:], skip_special_tokens=True).strip())
    return texts


def ours(captioner: Any, ids: list[str], given: argparse.Namespace) -> list[str]:
    """As the stage does it."""
    from captioning.generation.batch_files import read_batch, write_batches
    from catalogue.prepared.images import ImageStore
    from pipeline.core.memory import keep_freed_memory

    keep_freed_memory()
    store = ImageStore(given.images)
    with tempfile.TemporaryDirectory() as folder:
        files = write_batches(captioner, store, ids, given.batch_size, given.max_new_tokens, Path(folder))
        return [caption.text for file in files for caption in read_batch(file)]


def measure(name: str, given: argparse.Namespace) -> None:
    """Both arms with one captioner, in this process; prints a line of JSON."""
    import torch

    from captioning.modelling import DTYPES, load
    from catalogue.prepared.images import ImageStore

    torch.set_num_threads(given.threads)
    adapter = given.adapters / name if given.adapters else None
    captioner = load(MODELS / name, FAMILIES[name], DTYPES[given.precision], given.device, adapter)
    ids, result, texts = ImageStore(given.images).ids, {}, {}
    for arm in (single, ours):
        arm(captioner, ids[:WARM], given)
        result[arm.__name__] = spent = {"cpu": 0.0, "wall": 0.0}
        with clock(spent):
            texts[arm.__name__] = arm(captioner, ids, given)
    equal = sum(one == other for one, other in zip(texts["single"], texts["ours"], strict=True))
    print(json.dumps(result | {"equal": equal / len(ids), "different": len(set(texts["ours"]))}))


def run_measure(
    name: str, given: argparse.Namespace, script: str = __file__, folder: Path | None = None
) -> dict[str, Any]:
    """`script --of name` in a process of its own, there where a folder is named; its last line is the result."""
    told = {key: value for key, value in vars(given).items() if value is not None}
    words = [word for key, value in told.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(given.threads)}
    command = [sys.executable, os.path.abspath(script), *words, "--of", name]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=folder)
    return json.loads(ended.stdout.splitlines()[-1])


def options() -> argparse.Namespace:
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
    given = options()
    if given.of:
        measure(given.of, given)
        return
    with tempfile.TemporaryDirectory() as scratch:
        if given.images is None:
            given.images = Path(scratch) / "images"
            draw(given.images, given.items)
        key = "wall" if given.device == "cuda" else "cpu"
        print(
            f"{'captioner':16}{f'single {key} s':>14}{f'ours {key} s':>14}{'ratio':>8}{'wall ratio':>12}{'same words':>12}{'texts':>7}"
        )
        for name in FAMILIES:
            row = run_measure(name, given)
            (one, many), wall = (
                (row[arm][key] for arm in ("single", "ours")),
                row["single"]["wall"] / row["ours"]["wall"],
            )
            print(
                f"{name:16}{one:14.1f}{many:14.1f}{one / many:8.1f}{wall:12.1f}{row['equal']:12.1%}{row['different']:7}",
                flush=True,
            )
            if given.device == "cpu" and row["equal"] < 1:
                sys.exit(f"{name}: {1 - row['equal']:.1%} of the captions differ")


if __name__ == "__main__":
    main()
