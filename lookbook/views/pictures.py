"""Pictures of garments as JPEG, by their row in data/prepared/items.parquet.

`catalogue.prepared.images` packs them in the order of that table, so a row's shard and row group are known without
opening any other: a catalogue of any size costs nothing before its first picture, which also imports the libraries.
"""

from pathlib import Path
from typing import Any


def read_picture(images: Path, row: int) -> bytes | None:
    """Read the JPEG of a row of items.parquet; None where there is no such row or no such shard.

    Args:
        images: The folder of the packed images.
        row: From 0.
    """
    return _read(images, row, "jpeg")


def read_picture_id(images: Path, row: int) -> str | None:
    """Read the item that a row's picture was packed for; None where there is no such row or no such shard."""
    return _read(images, row, "item_id")


def _read(images: Path, row: int, column: str) -> Any:
    import pyarrow.parquet as pq

    from catalogue.prepared.images import ROW_GROUP_ITEMS, SHARD_ITEMS

    shard = images / f"{row // SHARD_ITEMS:05d}.parquet"
    if row < 0 or not shard.is_file():
        return None
    group, place = divmod(row % SHARD_ITEMS, ROW_GROUP_ITEMS)
    with pq.ParquetFile(shard, memory_map=True) as file:
        if group >= file.num_row_groups or place >= file.metadata.row_group(group).num_rows:
            return None
        return file.read_row_group(group, columns=[column])[column][place].as_py()
