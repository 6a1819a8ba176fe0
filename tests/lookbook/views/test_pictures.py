"""A picture's row is the row of items.parquet: checked on packed shards, and on the study that has run here."""

import io
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from catalogue.prepared import images
from catalogue.prepared.images import pack_images
from lookbook.views.pictures import read_picture, read_picture_id
from tests.helpers.repository import ROOT


def test_every_row_has_its_own_picture_across_shards_and_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "SHARD_ITEMS", 20)

    def draw(item: str) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (5 * int(item), 0, 0)).save(buffer, "PNG")
        return buffer.getvalue()

    items = [str(number) for number in range(45)]
    pack_images(tmp_path, {item: item for item in items}, draw, 64)
    assert [read_picture_id(tmp_path, row) for row in range(45)] == items
    red = Image.open(io.BytesIO(read_picture(tmp_path, 41) or b"")).convert("RGB").getpixel((4, 4))[0]  # type: ignore[index]
    assert abs(red - 205) < 5
    assert [read_picture(tmp_path, row) for row in (-1, 45, 60, 10**9)] == [None] * 4


@pytest.mark.skipif(not (ROOT / "data/prepared/items.parquet").exists(), reason="run `dvc repro` first")
def test_rows_of_the_prepared_catalogue_are_those_of_its_pictures() -> None:
    items = pd.read_parquet(ROOT / "data/prepared/items.parquet", columns=["item_id"])["item_id"]
    rows = range(0, len(items), 37)
    assert [read_picture_id(ROOT / "data/prepared/images", row) for row in rows] == items.iloc[list(rows)].tolist()
