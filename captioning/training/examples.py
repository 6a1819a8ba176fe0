"""Captioned images of a split as training examples."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch.utils.data import Dataset

from captioning.modelling import (
    DTYPES,
    IGNORED,
    Captioner,
    ImageInputs,
    collate,
    make_example,
    prepare_images,
    tokenize,
)
from captioning.modelling.captioner import FeatureFamily
from captioning.training.feature_cache import FrozenFeatures, load_features
from captioning.training.order import EMPTY_ROW
from catalogue.prepared.images import ImageStore
from catalogue.prepared.items import read_items, select_split
from pipeline.batches import make_batches
from pipeline.core.errors import UserError, first_five
from pipeline.core.progress import track
from pipeline.prefetch import prefetch, reader_threads
from pipeline.processes import rank

if TYPE_CHECKING:
    from captioning.training.settings import Params

log = logging.getLogger(__name__)
PREPARED_BYTES = 1 << 30  # images are prepared for the model once and kept in memory up to this size
IMAGES_AT_ONCE = 64


def load_splits(
    captioner: Captioner, model: Path, items: Path, images: Path, params: "Params", folder: Path
) -> tuple["CaptionedImages", "CaptionedImages"]:
    """Loads training and validation data, with the features of a frozen vision side where they are worth keeping.

    Several processes may call this at the same time: they share the work of computing features.

    Args:
        captioner: with its adapter.
        model: the folder it was loaded from.
        items: data/prepared/items.parquet.
        images: data/prepared/images.
        params: of the stage.
        folder: of the run's checkpoints; features lie beside it, because runs with another learning rate share them.

    Raises:
        UserError: unusable items or images.
    """
    store, dtype = ImageStore(images), DTYPES[params.caption_train.precision]
    training, validation = (
        drop_too_long(captioner, read_split(items, name), items) for name in ("train", "validation")
    )
    features = None
    if caches_features(captioner, params):
        ids = sorted([*training["item_id"], *validation["item_id"]])
        features = load_features(captioner, model, store, images, ids, folder.parent)
    return (
        CaptionedImages(captioner, store, training, dtype, features),
        CaptionedImages(captioner, store, sort_longest_first(captioner, validation), dtype, features),
    )


def caches_features(captioner: Captioner, params: "Params") -> bool:
    """Tells whether features are kept: the vision side is frozen, and its output small beside the time that it takes.

    (LLaVA: 1.2 MB per image, for 2 % of an epoch. BLIP-2: 49 kB, for a third to a half.)
    """
    section = params.caption_train
    return section.cache_features and section.lora_scope == "language" and isinstance(captioner.family, FeatureFamily)


def read_split(path: Path, split: str) -> pd.DataFrame:
    """Reads `item_id` and `description` of a split, sorted by id.

    Raises:
        UserError: the file lacks a column, or the split is empty or has an item without description.
    """
    items = read_items(path, ["item_id", "description", "split"])
    return select_split(items, split, path)[["item_id", "description"]]


def drop_too_long(captioner: Captioner, items: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Drops items whose descriptions are longer than the model's input, and logs how many were dropped.

    Raises:
        UserError: every description is too long, or one holds a token that ends captions or stands for an image.
    """
    captions = tokenize(captioner, items["description"].tolist())
    _refuse_reserved_tokens(captioner, items, captions, path)
    if captioner.positions is None:
        return items
    beside = len(captioner.prompt_ids if _has_fixed_prompt(captioner) else captioner.forced_ids) + 1  # and EOS
    longest = captioner.positions - beside
    fits = [len(ids) <= longest for ids in captions]
    if all(fits):
        return items
    too_long = items.loc[[not fit for fit in fits], "item_id"].tolist()
    count = f"{len(too_long)} of {len(items)} descriptions"
    what = f"{path}: {count} are longer than the {longest} tokens that this model takes"
    if not any(fits):
        raise UserError(f"{what}; use another captioner")
    if rank() == 0:
        log.warning("%s: left out of its training and validation, first %s", what, first_five(too_long))
    return items.loc[fits].reset_index(drop=True)


def _refuse_reserved_tokens(captioner: Captioner, items: pd.DataFrame, captions: list[list[int]], path: Path) -> None:
    reserved = {captioner.image_token_id, *captioner.eos_ids}
    wrong = [item for item, ids in zip(items["item_id"], captions, strict=True) if reserved.intersection(ids)]
    if wrong:
        tokens = ", ".join(map(repr, captioner.tokenizer.convert_ids_to_tokens(sorted(reserved))))
        raise UserError(
            f"{path}: the description of {len(wrong)} of {len(items)} items holds one of the tokens {tokens}, which "
            f"this model takes for the end of a caption or for an image, first {first_five(wrong)}; remove it from "
            "the raw data"
        )


def _has_fixed_prompt(captioner: Captioner) -> bool:
    """Tells whether the prompt is the same for every image."""
    return captioner.family.count_image_tokens(captioner) is not None


def sort_longest_first(captioner: Captioner, items: pd.DataFrame) -> pd.DataFrame:
    """Sorts by tokens of the caption: less padding, and a batch that does not fit in memory fails at once."""
    lengths = pd.Series(map(len, tokenize(captioner, items["description"].tolist())), index=items.index)
    return items.loc[lengths.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


class CaptionedImages(Dataset):
    """Items with their images prepared for the model, and their framed captions.

    Without `features`, images are prepared once if they fit in memory, else each time they are read.
    """

    def __init__(
        self,
        captioner: Captioner,
        store: ImageStore,
        items: pd.DataFrame,
        dtype: torch.dtype,
        features: FrozenFeatures | None = None,
    ) -> None:
        self.captioner = captioner
        self.store = store
        self.dtype = dtype
        self.features = features
        self.ids: list[str] = items["item_id"].tolist()
        self.references: dict[str, str] = dict(zip(self.ids, items["description"], strict=True))
        self.captions: list[list[int]] = tokenize(captioner, items["description"].tolist())
        self.prepared = self._prepare_all() if features is None and self._count_bytes() <= PREPARED_BYTES else None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each caption."""
        return list(map(len, self.captions))

    def __getitem__(self, row: int) -> dict[str, Any]:
        """Makes the example of a row; of `EMPTY_ROW` nothing is supervised."""
        image = self.read_image(max(row, 0))
        if row == EMPTY_ROW:
            empty = make_example(self.captioner, image, [])
            return {"example": replace(empty, labels=[IGNORED] * len(empty.labels)), "image": image}
        return {"example": make_example(self.captioner, image, self.captions[row]), "image": image}

    def __getitems__(self, rows: list[int]) -> list[dict[str, Any]]:
        """Makes the examples of a batch, as PyTorch calls it; threads open the images where the model is on a GPU."""
        ready = self.features is not None or self.prepared is not None
        return list(prefetch(self.__getitem__, rows, 0 if ready else reader_threads(self.captioner.base.device.type)))

    def read_image(self, row: int) -> ImageInputs:
        """Returns what the model takes for an image: kept features, or the prepared image."""
        if self.features is not None:
            return self.features[self.ids[row]]
        return self._prepare([row])[0] if self.prepared is None else self.prepared[row]

    def _prepare(self, rows: Sequence[int]) -> list[ImageInputs]:
        items = [self.ids[row] for row in rows]
        images = prepare_images(self.captioner, [self.store[item] for item in items], items)
        return [
            {name: values.to(self.dtype) if values.is_floating_point() else values for name, values in image.items()}
            for image in images
        ]

    def _count_bytes(self) -> int:
        return len(self) * sum(values.nbytes for values in self._prepare([0])[0].values())

    def _prepare_all(self) -> list[ImageInputs]:
        chunks = make_batches(list(range(len(self))), IMAGES_AT_ONCE)
        return [image for rows in track(chunks, "images", unit="batch") for image in self._prepare(rows)]


def make_collator(pad_id: int) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
    """Returns a function that makes a batch of the rows of `CaptionedImages`."""

    def make_batch(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        return collate([row["example"] for row in rows], [row["image"] for row in rows], pad_id)

    return make_batch
