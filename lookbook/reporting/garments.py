"""Test garments with their pictures, references and captions, for the report's second page."""

import base64
from pathlib import Path
from typing import Any

import pandas as pd

from catalogue.prepared.images import ImageStore
from catalogue.prepared.items import read_items
from lookbook.reporting.formatting import Values

ITEMS = Path("data/prepared/items.parquet")
GARMENTS = 24  # shown on the page


def garments_of(captioners: list[str]) -> list[Values]:
    """Test garments with image, reference and captions: the first of every category in turn, then the second, …"""
    items = read_items(ITEMS, ["item_id", "category", "colour", "description", "split"])
    test = items[items["split"] == "test"]
    turn = test.groupby("category").cumcount()
    chosen = test.assign(turn=turn).sort_values(["turn", "category", "item_id"]).head(GARMENTS)
    images = _jpegs(chosen["item_id"].tolist())
    captions = {(name, variant): _captions(name, variant) for name in captioners for variant in ("pt", "ft")}
    garments: list[Any] = chosen[["item_id", "category", "colour", "description"]].to_dict("records")
    for garment in garments:
        item = garment["item_id"]
        garment["image"] = data_uri(images[item], "image/jpeg")
        garment["captions"] = {
            name: {variant: captions[name, variant].get(item, "") for variant in ("pt", "ft")} for name in captioners
        }
    return garments


def _captions(captioner: str, variant: str) -> dict[str, str]:
    table = pd.read_parquet(f"data/captions/{captioner}-{variant}.parquet", columns=["item_id", "caption"])
    return dict(zip(table["item_id"], table["caption"], strict=True))


def _jpegs(ids: list[str]) -> dict[str, bytes]:
    """The packed JPEGs of these items; no others are read."""
    store = ImageStore("data/prepared/images")
    return {item: store.jpeg(item) for item in ids}


def data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
