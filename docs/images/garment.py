"""python docs/images/garment.py: draws docs/images/garment.png, a test garment with its three descriptions.

The garment is chosen by rule: among the test items, the one whose fine-tuned caption has the median CIDEr. Reads the
outputs of `dvc repro`.
"""

import textwrap
from io import BytesIO
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image
from ruamel.yaml import YAML

from catalogue.prepared.images import ImageStore

OUT = Path(__file__).with_name("garment.png")
WIDTH_CHARACTERS = 62


def median_item(writer: str) -> str:
    """Return the test item whose fine-tuned caption has the median CIDEr; ties go to the smaller id."""
    scores = pd.read_parquet("data/scores/captions.parquet")
    rows = scores[(scores["captioner"] == writer) & (scores["variant"] == "ft") & (scores["metric"] == "cider")]
    return rows.sort_values(["value", "item_id"])["item_id"].iloc[len(rows) // 2]


def descriptions(item: str, writer: str) -> dict[str, str]:
    """Return the item's reference, pre-trained caption and fine-tuned caption."""
    items = pd.read_parquet("data/prepared/items.parquet").set_index("item_id")
    texts = {"Reference: the shop's own words": items.loc[item, "description"]}
    for title, variant in (("Pre-trained caption", "pt"), ("Fine-tuned caption", "ft")):
        captions = pd.read_parquet(f"data/captions/{writer}-{variant}.parquet").set_index("item_id")
        texts[title] = captions.loc[item, "caption"]
    return texts


def draw(image: Image.Image, texts: dict[str, str]) -> None:
    """Write the picture: the garment on the left, its descriptions on the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), width_ratios=[1, 2.6], facecolor="white")
    left.imshow(image)
    for axis in (left, right):
        axis.axis("off")
    height = 0.97
    for title, text in texts.items():
        lines = textwrap.wrap(text, WIDTH_CHARACTERS)
        right.text(0, height, title, fontsize=11, weight="bold", va="top", transform=right.transAxes)
        right.text(0, height - 0.09, "\n".join(lines), fontsize=11, va="top", transform=right.transAxes)
        height -= 0.16 + 0.085 * len(lines)
    figure.savefig(OUT, dpi=120, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    chosen_writer = YAML(typ="safe").load(Path("params.yaml"))["writer"]
    chosen_item = median_item(chosen_writer)
    picture = ImageStore(Path("data/prepared/images"))[chosen_item]
    draw(
        picture if isinstance(picture, Image.Image) else Image.open(BytesIO(picture)),
        descriptions(chosen_item, chosen_writer),
    )
    print(f"wrote {OUT}: item {chosen_item}")
