"""python benchmarks/image_features.py [--items 256] [--batch-size 64] [--divide 4] [--device cuda]: image features.

Compares images per second of the image features in batches, as the stages rec_features_image and caption_features
compute them, with one image at a time by transformers' processor and model. The models are ResNet50, CLIP (ViT-B/32)
and BLIP-2's vision side (ViT-g and Q-Former) in their published shapes with random weights; nothing is downloaded.
Use `--divide 4` without a GPU: a quarter of all widths and of BLIP-2's depths.

Each extractor runs in a process of its own. Both arms read the same packed JPEGs and are timed from there to vectors
in memory, without loading. Batches are for a GPU: on a CPU the arithmetic takes as long, and large batches of
ResNet50 take longer. Rates are per CPU second, and on a GPU per second of wall time. The vectors of both arms must be
the same up to rounding; the benchmark fails otherwise.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import full_shapes
import generation
import numpy as np
import torch

ROOT = Path(__file__).parent.parent
SMALL = ROOT / "data/models/tiny-blip2-opt"  # its tokenizer
WARM = 8  # images that each arm sees before the clock starts
CLOSE = {"fp32": 0.9999, "bf16": 0.98}  # lowest cosine between the vectors of both arms

Vectors = Callable[[list[str]], np.ndarray]  # of n ids: (n, dim)


def resnet50(folder: Path, divide: int) -> None:
    """Write a ResNet50 with random weights."""
    from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetModel

    widths = [width // divide for width in (256, 512, 1024, 2048)]
    model = ResNetModel(ResNetConfig(embedding_size=64 // divide, hidden_sizes=widths, depths=[3, 4, 6, 3]))
    model.save_pretrained(folder)
    ConvNextImageProcessorPil(size={"shortest_edge": 224}, crop_pct=0.875).save_pretrained(folder)


def clip(folder: Path, divide: int) -> None:
    """Write a CLIP (ViT-B/32) with random weights."""
    from transformers import AutoTokenizer, CLIPConfig, CLIPImageProcessorPil, CLIPModel

    vision = full_shapes.sizes(768, 12, 12, 1) | {"hidden_size": 768 // divide, "intermediate_size": 3072 // divide}
    text = full_shapes.sizes(512, 12, 8, 1) | {"hidden_size": 512 // divide, "intermediate_size": 2048 // divide}
    config = CLIPConfig(vision_config=vision | {"image_size": 224, "patch_size": 32}, text_config=text)
    config.projection_dim = 512
    CLIPModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(SMALL).save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)


def blip2(folder: Path, divide: int) -> None:
    """Write a BLIP-2 with random weights; its language model has one layer, which no image feature uses."""
    full_shapes.write(folder, divide, SMALL, text_layers=1)


MODELS = {"resnet50": resnet50, "clip": clip, "blip2": blip2}


def prepare_arms(name: str, store: Any, arguments: argparse.Namespace) -> tuple[Vectors, Vectors]:
    """Return both arms: one image at a time, and as the stage does it; the model is in data/models/<name>."""
    if name == "blip2":
        return prepare_blip2_arms(store, arguments)
    from importlib import import_module

    extractor = import_module(f"recsys.extractors.{name}")
    own = {"square": "own"} | ({"image_size": 224} if name == "resnet50" else {})
    settings = extractor.Settings(
        model=name, batch_size=arguments.batch_size, precision=arguments.precision, reduce="none", **own
    )
    model, processor = load_plain_model(name, arguments)

    @torch.inference_mode()
    def single(ids: list[str]) -> np.ndarray:
        vectors = []
        for item in ids:
            inputs = processor(images=store[item], return_tensors="pt").to(arguments.device, model.dtype)
            outputs = model.get_image_features(**inputs) if name == "clip" else model(**inputs)
            vectors.append(outputs.pooler_output.flatten().float().cpu().numpy())
        return np.stack(vectors)

    return single, lambda ids: extractor.image_vectors(ids, store, settings, arguments.device)


def load_plain_model(name: str, arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Load a model and its processor by transformers alone."""
    from transformers import AutoImageProcessor, AutoModel

    from captioning.modelling import DTYPES

    folder = Path("data/models") / name
    model = AutoModel.from_pretrained(folder, dtype=DTYPES[arguments.precision]).to(arguments.device).eval()
    return model, AutoImageProcessor.from_pretrained(folder, backend="pil")


def prepare_blip2_arms(store: Any, arguments: argparse.Namespace) -> tuple[Vectors, Vectors]:
    """Return both arms for BLIP-2; of both outputs, the queries are compared."""
    from captioning.modelling import DTYPES, load
    from captioning.vision_features.extraction import compute_features

    captioner = load(Path("data/models/blip2"), "blip2_opt", DTYPES[arguments.precision], arguments.device)

    @torch.inference_mode()
    def single(ids: list[str]) -> np.ndarray:
        vectors = []
        for item in ids:
            inputs = captioner.processor.image_processor(images=store[item], return_tensors="pt")
            outputs = captioner.base.get_image_features(**inputs.to(arguments.device, captioner.base.dtype))
            outputs.last_hidden_state.float().mean(dim=1).cpu()  # the other output, which the stage computes too
            vectors.append(outputs.qformer_outputs.last_hidden_state.float().flatten().cpu().numpy())
        return np.stack(vectors)

    return single, lambda ids: compute_features(captioner, ids, store, arguments.batch_size)[1].reshape(len(ids), -1)


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure both arms, in this process and folder, and the least cosine between their vectors."""
    from catalogue.prepared.images import ImageStore
    from pipeline.core.memory import keep_freed_memory

    torch.set_num_threads(arguments.threads)
    store = ImageStore("images")
    result: dict[str, Any] = {}
    vectors = []
    for arm, run in zip(("single", "ours"), prepare_arms(name, store, arguments), strict=True):
        if arm == "ours":
            keep_freed_memory()  # as every stage does
        run(store.ids[:WARM])
        result[arm] = seconds = {"cpu": 0.0, "wall": 0.0}
        with generation.clock(seconds):
            vectors.append(run(store.ids))
    alone, batched = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in vectors)
    return result | {"cosine": float((alone * batched).sum(axis=1).min()), "dim": alone.shape[1]}


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64, help="of ours")
    parser.add_argument("--divide", type=int, choices=[1, 2, 4], help="left out: 1 on a GPU, else 4")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--of", choices=list(MODELS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.divide = arguments.divide or (1 if arguments.device == "cuda" else 4)
    return arguments


def main() -> None:
    """Run the benchmark."""
    arguments = parse_arguments()
    if arguments.of:
        print(json.dumps(measure(arguments.of, arguments)))
        return
    key = "wall" if arguments.device == "cuda" else "cpu"
    print(f"images a second, by {key} seconds")
    print(f"{'extractor':12}{'single/s':>11}{'ours/s':>9}{'ratio':>8}{'wall ratio':>12}{'least cosine':>14}{'dim':>7}")
    with tempfile.TemporaryDirectory() as scratch:
        generation.draw(Path(scratch) / "images", arguments.items)
        for name, write in MODELS.items():
            torch.manual_seed(0)
            write(Path(scratch) / "data/models" / name, arguments.divide)
            row = generation.run_measure(name, arguments, __file__, Path(scratch))
            single_rate, our_rate = (arguments.items / row[arm][key] for arm in ("single", "ours"))
            wall = row["single"]["wall"] / row["ours"]["wall"]
            print(
                f"{name:12}{single_rate:11.1f}{our_rate:9.1f}{our_rate / single_rate:8.1f}{wall:12.1f}"
                f"{row['cosine']:14.5f}{row['dim']:7}",
                flush=True,
            )
            if row["cosine"] < CLOSE[arguments.precision]:
                sys.exit(f"{name}: a vector differs from that of its image alone")


if __name__ == "__main__":
    main()
