"""Test garments with their pictures, references and captions, for the report's second page."""

from pathlib import Path
from typing import Any

import pandas as pd

from catalogue.prepared.images import ImageStore
from catalogue.prepared.items import read_items
from lookbook.reporting.formatting import Values
from lookbook.reporting.pages import encode_data_uri

ITEMS = Path("data/prepared/items.parquet")
GARMENTS = 24  # shown on the page


def read_garments(items: Path, images: Path, captions: Path, captioners: list[str]) -> list[Values]:
    """Read the first test garment of every category, then the second, and so on, up to `GARMENTS`.

    Args:
        items: The prepared catalogue.
        images: The folder of the packed images.
        captions: The folder of caption files, two per captioner.
        captioners: The captioners to show.

    Returns:
        For each garment: item_id, category, colour, description, image (a data URI), captions by captioner and variant.
    """
    table = read_items(items, ["item_id", "category", "colour", "description", "split"])
    test = table[table["split"] == "test"].sort_values("item_id")
    rank = test.groupby("category").cumcount()
    chosen = test.assign(rank=rank).sort_values(["rank", "category", "item_id"]).head(GARMENTS)
    store = ImageStore(images)
    texts = {
        (name, variant): _read_captions(captions, name, variant) for name in captioners for variant in ("pt", "ft")
    }
    garments: list[Any] = chosen[["item_id", "category", "colour", "description"]].to_dict("records")
    for garment in garments:
        item = garment["item_id"]
        garment["image"] = encode_data_uri(store.read_jpeg(item), "image/jpeg")
        garment["captions"] = {
            name: {variant: texts[name, variant].get(item, "") for variant in ("pt", "ft")} for name in captioners
        }
    return garments


def _read_captions(folder: Path, captioner: str, variant: str) -> dict[str, str]:
    table = pd.read_parquet(folder / f"{captioner}-{variant}.parquet", columns=["item_id", "caption"])
    return dict(zip(table["item_id"], table["caption"], strict=True))
