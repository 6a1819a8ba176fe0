"""The project that benchmarks/gpu_smoke.py measures: portraits, and models with random weights."""

import io
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SMALL = ROOT / "data/models"
TRAINING, VALIDATION = 0.08, 0.02  # shares of the pictures; the others are captioned
SIZES = {"full": (341, 512), "tiny": (43, 64)}  # of a picture, in pixels, as H&M's portraits
SEED = 20_000


def prepare(folder: Path, size: str, pictures: int, device: str) -> None:
    """Make pictures, items, models and parameters in an empty folder."""
    import torch

    folder.mkdir(parents=True)
    write_items(folder, SIZES[size], pictures)
    models = folder / "data/models"
    with torch.device(device):
        (write_full_models if size == "full" else write_small_models)(models)
    write_params(folder / "params.yaml", size)


def write_items(folder: Path, picture_size: tuple[int, int], n: int) -> None:
    """Write n items with pictures of smooth noise and descriptions of 5 to 40 words."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    from catalogue.prepared.images import pack_images

    random = np.random.default_rng(SEED)
    words = ["red", "blue", "striped", "cotton", "shirt", "trousers", "with", "a", "zip", "and", "long", "sleeves"]
    ids = [f"{number:010d}" for number in range(n)]
    jpegs = {}
    for item in ids:
        noise = Image.fromarray(random.integers(0, 255, (12, 8, 3), dtype=np.uint8))
        file = io.BytesIO()
        noise.resize(picture_size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        jpegs[item] = file.getvalue()
    (folder / "data/prepared/images").mkdir(parents=True)
    pack_images(folder / "data/prepared/images", {item: item for item in ids}, jpegs.__getitem__, max(picture_size))
    (folder / "images").symlink_to("data/prepared/images")  # where benchmarks/image_features.py looks
    texts = [" ".join(random.choice(words, random.integers(5, 41))) for _ in ids]
    parts = [max(8, round(share * n)) for share in (TRAINING, VALIDATION)]
    splits = ["train"] * parts[0] + ["validation"] * parts[1] + ["test"] * (n - sum(parts))
    items = pd.DataFrame({"item_id": ids, "description": texts, "split": splits})
    items.to_parquet(folder / "data/prepared/items.parquet")
    items.to_parquet(folder / "items.parquet")  # beside params.yaml, where benchmarks/fine_tuning.py looks


def write_full_models(models: Path) -> None:
    """Write the models with random weights in their published shapes."""
    import full_shapes
    import image_features
    import torch
    from transformers import AutoTokenizer, LlavaForConditionalGeneration, LlavaImageProcessorPil

    for name in ("resnet50", "clip"):
        image_features.MODELS[name](models / name, 1)
    full_shapes.write(models / "blip2", 1, SMALL / "tiny-blip2-opt")
    words: Any = AutoTokenizer.from_pretrained(SMALL / "tiny-llava")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        LlavaForConditionalGeneration(make_llava_config(words)).save_pretrained(models / "llava")
    finally:
        torch.set_default_dtype(before)
    words.save_pretrained(models / "llava")
    LlavaImageProcessorPil(
        size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}, do_pad=True
    ).save_pretrained(models / "llava")


def make_llava_config(words: Any) -> Any:
    """Make the config of LLaVA-1.5-7B, which are transformers' defaults, with the tokens of a tokenizer."""
    from transformers import LlavaConfig

    config = LlavaConfig(image_token_index=words.convert_tokens_to_ids("<image>"))
    ids = {f"{role}_token_id": getattr(words, f"{role}_token_id") for role in ("bos", "eos", "pad")}
    text: Any = config.text_config
    text.update({"vocab_size": 32064, **ids})
    return config


def write_small_models(models: Path) -> None:
    """Copy the repository's small captioners, and write a CLIP and a ResNet-50 of a quarter of the widths."""
    import image_features

    for name, small in (("blip2", "tiny-blip2-opt"), ("llava", "tiny-llava")):
        shutil.copytree(SMALL / small, models / name)
    for name in ("resnet50", "clip"):
        image_features.MODELS[name](models / name, 4)


def write_params(path: Path, size: str) -> None:
    """Write the repository's parameters with one epoch, frequent checkpoints and the precision of the size."""
    from ruamel.yaml import YAML

    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    epochs = 4 if size == "tiny" else 1  # so that a run is still running once its first checkpoint was seen
    params |= {"epochs": epochs, "batch_size": 16, "lora_layers": "query-value"}
    params["machine"] |= {"device_batch_size": 8, "checkpoint_steps": 1 if size == "tiny" else 2}
    precision = "bf16" if size == "full" else "fp32"
    params["caption_train"]["precision"] = params["caption_generate"]["precision"] = precision
    params["caption_generate"] |= {"max_new_tokens": 16, "batch_size": 64}
    yaml.dump(params, path)
