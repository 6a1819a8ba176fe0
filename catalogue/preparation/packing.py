"""Which pictures are packed, and their packing by the nodes of a cluster: `pack_images` need not pack shards it finds.

A node opens the raw data itself, and packs a shard by the same function as one process. Beside each shard it leaves a
note; where the note says that a picture was refused, there is no shard, and this process tries it again, so that a user
sees one message whatever made the shards.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from catalogue.prepared import images
from catalogue.prepared.views import list_views
from catalogue.readers import Raw, load_reader
from catalogue.readers.settings import CataloguePrepare
from pipeline.cluster import Write, make_files
from pipeline.core.errors import UserError
from pipeline.core.outputs import read_json, write_json
from pipeline.machine import Where

REFUSED = "refused"  # the key of a note: whether a picture of the shard was refused


def name_pictures(raw: Raw, items: pd.DataFrame) -> dict[str, str]:
    """Map the pictures that are packed to the names by which the user knows them.

    The first picture of every item comes before all further ones, so that it has the row of its item in items.parquet.
    """
    first = items["item_id"].tolist()
    further = [name for item in first for name in list_views(item, raw.image_names)[1:]]
    return {name: raw.image_names[name] for name in (*first, *further)}


def pack_on_cluster(
    work: Path, items: Sequence[str], where: Where, dataset: str, raw: Path, section: CataloguePrepare
) -> None:
    """Pack the shards that are missing in `work`; those with a picture that is refused stay missing.

    Args:
        work: the folder of finished shards, which all nodes see.
        items: ids, in the order of the shards.
        where: the cluster.
        dataset: names the reader.
        raw: the folder of the raw data.
        section: of params.yaml.

    Raises:
        UserError: as `pipeline.cluster.make_files`.
    """
    parts = {
        (work / name).with_suffix(".json"): members
        for name, members in images.divide_into_shards(items).items()
        if not (work / name).exists()
    }
    for note in make_files(parts, open_packing, dataset, raw, section, where.threads, where=where):
        if read_json(note)[REFUSED]:
            note.unlink()  # the next run tries the shard again


def open_packing(dataset: str, raw: Path, section: CataloguePrepare, threads: int) -> Write:
    """Open the raw data, and return what packs shards by some threads and leaves a note beside each."""
    opened = load_reader(dataset).open_raw(raw, section)

    def write(shards: Mapping[Path, Sequence[str]]) -> None:
        for note, items in shards.items():
            names = {item: opened.image_names[item] for item in items}
            with tempfile.TemporaryDirectory(dir=note.parent) as folder:
                try:
                    images.pack_images(Path(folder), names, opened.read_image, section.image_size, threads=threads)
                except UserError:
                    write_json(note, {REFUSED: True})
                    continue
                (shard,) = Path(folder).glob("*.parquet")
                os.replace(shard, note.with_suffix(".parquet"))
            write_json(note, {REFUSED: False})

    return write
