"""Eight items with a grey picture each, and extractors whose vectors one can compute by hand."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from catalogue.prepared.images import ImageStore, pack_images
from features.files import Features, read_features
from pipeline.core.outputs import write_parquet
from pipeline.machine import HERE
from recsys.encoding.encoder import Encoder
from recsys.encoding.feature_sets import read_text, write_image_features, write_text_features
from recsys.extractors import ExtractorSettings

IDS = [f"{number:010d}" for number in (351332007, 5, 108775015, 42, 999999999, 351332001, 77, 8)]
TRAIN = sorted(IDS)[:3]
SETTINGS = ExtractorSettings(model="m", batch_size=3, precision="fp32", reduce="none")
REDUCED = SETTINGS.model_copy(update={"reduce": "pca95"})
IMAGES = Path("data/prepared/images")
WORK = Path("work")


def shade(item: str) -> int:
    return int(item) % 251


def picture(item: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (16, 16), shade(item)).convert("RGB").save(buffer, "JPEG", quality=100)
    return buffer.getvalue()


def write_study() -> None:
    """Items whose pictures are packed in another order than items.parquet, and two texts, in the working directory."""
    IMAGES.mkdir(parents=True)
    pack_images(IMAGES, {item: item for item in reversed(sorted(IDS))}, picture, 16)
    splits = ["train"] * 3 + ["test", "validation", None, None, None]
    write_parquet("data/prepared/items.parquet", pd.DataFrame({"item_id": sorted(IDS), "split": splits}))
    words = {item: ["", "a red shirt", "a blue hat"][row % 3] for row, item in enumerate(sorted(IDS))}
    write_text("original", {item: words[item] for item in sorted(IDS)[:5]})
    write_text("augmented", words | {sorted(IDS)[0]: "a caption"})


def write_text(text: str, words: dict[str, str]) -> None:
    source = ["ft" if "caption" in text else "own" if text else "none" for text in words.values()]
    table = pd.DataFrame({"item_id": list(words), "text": list(words.values()), "source": source})
    write_parquet(f"data/texts/{text}.parquet", table)


class Greys:
    """An image extractor whose vector is the picture's grey."""

    Settings = ExtractorSettings

    @staticmethod
    def image_vectors(ids: Sequence[str], store: ImageStore, settings: ExtractorSettings, device: str) -> np.ndarray:
        return np.array([store[item].getpixel((3, 3))[0] for item in ids], dtype=np.float32).reshape(-1, 1)


class Lengths:
    """A text extractor whose vector is the length; it records the texts of each call."""

    Settings = ExtractorSettings
    calls: list[list[str]]

    def __init__(self) -> None:
        self.calls = []

    def text_vectors(self, texts: Sequence[str], settings: ExtractorSettings, device: str) -> np.ndarray:
        self.calls.append(list(texts))
        return np.array([len(text) for text in texts], dtype=np.float32).reshape(-1, 1)


class Both(Lengths, Greys):
    """Grey and length."""


class Plane(Greys):
    """Pictures and words in three dimensions, of which one says everything."""

    @staticmethod
    def image_vectors(ids: Sequence[str], store: ImageStore, settings: ExtractorSettings, device: str) -> np.ndarray:
        return Greys.image_vectors(ids, store, settings, device) * np.array([1, 2, 2], np.float32)

    @staticmethod
    def text_vectors(texts: Sequence[str], settings: ExtractorSettings, device: str) -> np.ndarray:
        return np.array([[len(text), -len(text), 0] for text in texts], dtype=np.float32)


def encoder(extractor: object, settings: ExtractorSettings = SETTINGS, *, resumed: bool = False) -> Encoder:
    """An encoder with an empty folder for finished parts, or with that of the encoder before."""
    if not resumed:
        shutil.rmtree(WORK, ignore_errors=True)
    return Encoder("plane", extractor, settings, HERE, WORK)


def encode_images(name: str, encoder: Encoder, ids: Sequence[str] = tuple(sorted(IDS))) -> Features:
    folder = Path("data/features/image", name)
    write_image_features(folder, encoder, ids, IMAGES)
    return read_features(folder)


def encode_texts(name: str, encoder: Encoder, texts: list[str]) -> dict[str, Features]:
    folders = {text: Path("data/features/text", text, name) for text in texts}
    tables = {text: read_text(Path(f"data/texts/{text}.parquet")) for text in texts}
    write_text_features(folders, encoder, tables, IMAGES, TRAIN)
    return {text: read_features(folder) for text, folder in folders.items()}
