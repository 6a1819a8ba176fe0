"""Captioned images of a split as training examples, and the order in which an epoch meets them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch.utils.data import Dataset

from captioning.modelling import DTYPES, IGNORED, Captioner, ImageInputs, collate, example, image_inputs, token_ids
from captioning.training.feature_cache import FrozenFeatures, frozen_features
from captioning.training.order import NOTHING
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
PREPARED_BYTES = 1 << 30  # what the model takes for the images is made once and kept in memory up to this size
IMAGES_AT_ONCE = 64


def splits(
    captioner: Captioner, model: Path, items: Path, images: Path, params: "Params", folder: Path
) -> tuple["CaptionedImages", "CaptionedImages"]:
    """Training and validation data, with the features of a frozen vision side where they are worth keeping.

    Several processes may call this at the same time: they share the work of the feature pass.

    Args:
        captioner: with its adapter.
        model: the folder it was loaded from.
        items: data/prepared/items.parquet.
        images: data/prepared/images.
        folder: of the run's checkpoints; features lie beside it, because runs with another learning rate share them.

    Raises:
        UserError: unusable items or images.
    """
    store, dtype = ImageStore(images), DTYPES[params.caption_train.precision]
    training, validation = (usable(captioner, read_split(items, name), items) for name in ("train", "validation"))
    features = None
    if is_cached(captioner, params):
        ids = sorted([*training["item_id"], *validation["item_id"]])
        features = frozen_features(captioner, model, store, images, ids, folder.parent)
    return (
        CaptionedImages(captioner, store, training, dtype, features),
        CaptionedImages(captioner, store, longest_first(captioner, validation), dtype, features),
    )


def is_cached(captioner: Captioner, params: "Params") -> bool:
    """Only where the vision side stays as it is, and where its output is small beside the language model's work.

    (LLaVA: 1.2 MB an image, for 2 % of an epoch. BLIP-2: 49 kB, for a third to a half.)
    """
    section = params.caption_train
    return section.cache_features and section.lora_scope == "language" and hasattr(captioner.family, "frozen_features")


def read_split(path: Path, split: str) -> pd.DataFrame:
    """`item_id` and `description` of a split, sorted by id.

    Raises:
        UserError: the file lacks a column, or the split is empty or has an item without description.
    """
    items = read_items(path, ["item_id", "description", "split"])
    return select_split(items, split, path)[["item_id", "description"]]


def usable(captioner: Captioner, items: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The items whose descriptions the model has room for; how many others are left out is said.

    Raises:
        UserError: it has room for none, or a description holds a token that ends captions or stands for an image.
    """
    captions = token_ids(captioner, items["description"].tolist())
    reserved = {captioner.image_token_id, *captioner.eos_ids}
    wrong = [item for item, ids in zip(items["item_id"], captions, strict=True) if reserved.intersection(ids)]
    if wrong:
        tokens = ", ".join(map(repr, captioner.tokenizer.convert_ids_to_tokens(sorted(reserved))))
        raise UserError(
            f"{path}: the description of {len(wrong)} of {len(items)} items holds one of the tokens {tokens}, which this model "
            f"takes for the end of a caption or for an image, first {first_five(wrong)}; remove it from the raw data"
        )
    if captioner.positions is None:
        return items
    room = captioner.positions - len(captioner.prompt_ids if _is_fixed(captioner) else ()) - 1  # for EOS
    fits = [len(ids) <= room for ids in captions]
    if all(fits):
        return items
    long = items.loc[[not one for one in fits], "item_id"].tolist()
    what = f"{path}: {len(long)} of {len(items)} descriptions are longer than the {room} tokens that this model has room for"
    if not any(fits):
        raise UserError(f"{what}; take another captioner")
    if rank() == 0:
        log.warning("%s: left out of its training and validation, first %s", what, first_five(long))
    return items.loc[fits].reset_index(drop=True)


def _is_fixed(captioner: Captioner) -> bool:
    """Whether the prompt is the same for every image."""
    return captioner.family.image_tokens(captioner) is not None


def longest_first(captioner: Captioner, items: pd.DataFrame) -> pd.DataFrame:
    """By tokens of the caption: less padding, and a batch that does not fit in memory fails at once."""
    lengths = pd.Series(map(len, token_ids(captioner, items["description"].tolist())), index=items.index)
    return items.loc[lengths.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


class CaptionedImages(Dataset):
    """Items with what the model takes for their images, and their framed captions.

    Without `features`, image inputs are prepared once if they fit in memory, else when they are asked for.
    """

    def __init__(
        self,
        captioner: Captioner,
        store: ImageStore,
        items: pd.DataFrame,
        dtype: torch.dtype,
        features: FrozenFeatures | None = None,
    ) -> None:
        self.captioner, self.store, self.dtype, self.features = captioner, store, dtype, features
        self.ids: list[str] = items["item_id"].tolist()
        self.references: dict[str, str] = dict(zip(self.ids, items["description"], strict=True))
        self.captions: list[list[int]] = token_ids(captioner, items["description"].tolist())
        self.prepared = self._all() if features is None and self._bytes() <= PREPARED_BYTES else None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each caption."""
        return list(map(len, self.captions))

    def __getitem__(self, row: int) -> dict[str, Any]:
        image = self.image(max(row, 0))
        if row == NOTHING:
            empty = example(self.captioner, image, [])
            return {"example": replace(empty, labels=[IGNORED] * len(empty.labels)), "image": image}
        return {"example": example(self.captioner, image, self.captions[row]), "image": image}

    def __getitems__(self, rows: list[int]) -> list[dict[str, Any]]:
        """A batch, which PyTorch asks for in one call where it can be; pictures beside a GPU are opened on threads."""
        ready = self.features is not None or self.prepared is not None
        return list(prefetch(self.__getitem__, rows, 0 if ready else reader_threads(self.captioner.base.device.type)))

    def image(self, row: int) -> ImageInputs:
        if self.features is not None:
            return self.features[self.ids[row]]
        return self._inputs([row])[0] if self.prepared is None else self.prepared[row]

    def _inputs(self, rows: Sequence[int]) -> list[ImageInputs]:
        inputs = image_inputs(self.captioner, [self.store[self.ids[row]] for row in rows])
        return [
            {name: values.to(self.dtype) if values.is_floating_point() else values for name, values in one.items()}
            for one in inputs
        ]

    def _bytes(self) -> int:
        return len(self) * sum(values.nbytes for values in self._inputs([0])[0].values())

    def _all(self) -> list[ImageInputs]:
        chunks = make_batches(list(range(len(self))), IMAGES_AT_ONCE)
        return [inputs for rows in track(chunks, "images", unit="batch") for inputs in self._inputs(rows)]


def collator(pad_id: int) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
    """Makes a batch of what `CaptionedImages` returns."""

    def batch(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        return collate([row["example"] for row in rows], [row["image"] for row in rows], pad_id)

    return batch
