"""Captioned images of a split as training examples, and the order in which an epoch meets them."""

from collections.abc import Callable, Iterator, Sized
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.utils.data import Dataset, Sampler

from captioning.modelling import Captioner, Example, collate, pixel_values
from catalogue.images import ImageStore
from pipeline.errors import UserError
from pipeline.progress import track

PREPARED_BYTES = 1 << 30  # pixel values up to this size are made once and kept in memory
IMAGES_AT_ONCE = 64


class CaptionedImages(Dataset):
    """Items with their encoded captions. Pixel values are prepared once if they fit in memory, else when they are asked for."""

    def __init__(self, captioner: Captioner, store: ImageStore, items: pd.DataFrame, dtype: torch.dtype) -> None:
        self.captioner, self.store, self.dtype = captioner, store, dtype
        self.ids: list[str] = items["item_id"].tolist()
        self.examples: list[Example] = captioner.family.encode_training(captioner, items["description"].tolist())
        self.prepared = self._all() if self._bytes() <= PREPARED_BYTES else None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> dict[str, Any]:
        pixels = self._pixels([row])[0] if self.prepared is None else self.prepared[row]
        return {"example": self.examples[row], "pixels": pixels}

    def _pixels(self, rows: list[int]) -> torch.Tensor:
        images = [self.store[self.ids[row]] for row in rows]
        return pixel_values(self.captioner, images).to(self.dtype)  # (rows, 3, height, width)

    def _bytes(self) -> int:
        return len(self) * self._pixels([0]).nbytes

    def _all(self) -> torch.Tensor:
        chunks = [
            list(range(start, min(start + IMAGES_AT_ONCE, len(self)))) for start in range(0, len(self), IMAGES_AT_ONCE)
        ]
        return torch.cat([self._pixels(rows) for rows in track(chunks, "images", unit="batch")])


def read_split(path: Path, split: str) -> pd.DataFrame:
    """`item_id` and `description` of a split, sorted by id.

    Raises:
        UserError: the file lacks a column, or the split is empty or has an item without description.
    """
    try:
        items = pd.read_parquet(path, columns=["item_id", "description", "split"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run `dvc repro catalogue_prepare`") from None
    except ValueError as error:  # pyarrow's ArrowInvalid is one: a column is missing, or this is not Parquet
        raise UserError(f"{path}: {error}; run `dvc repro catalogue_prepare`") from error
    chosen = items[items["split"] == split].sort_values("item_id", ignore_index=True)
    if chosen.empty:
        raise UserError(f"{path}: no item with split {split}; check the filters and shares of catalogue_prepare")
    if chosen["description"].isna().any():
        raise UserError(f"{path}: {chosen['description'].isna().sum()} items of split {split} have no description")
    return chosen[["item_id", "description"]]


def collator(pad_id: int) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
    """Makes a batch of what `CaptionedImages` returns."""

    def batch(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        return collate([row["example"] for row in rows], [row["pixels"] for row in rows], pad_id)

    return batch


class EpochOrder(Sampler[int]):
    """A permutation that depends on seed and epoch alone, so that a resumed epoch meets its items in the same order."""

    def __init__(self, data: Sized, seed: int) -> None:
        self.data, self.seed, self.epoch = data, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[int]:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        yield from torch.randperm(len(self.data), generator=random).tolist()
