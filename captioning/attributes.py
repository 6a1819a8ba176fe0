"""python -m captioning.attributes: the attributes of every description, and the vocabulary that captions are scored by."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa

from captioning.tagging.extract import extract, work_folder
from captioning.tagging.settings import CaptionAttributes
from catalogue.prepared.items import read_items
from pipeline.checkpoints import checkpoint_folder
from pipeline.core.outputs import new_folder, write_json, write_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.model_folders import MODELS

ITEMS = Path("data/prepared/items.parquet")
COLUMNS = ["item_id", "description", "colour", "original", "split", "attributes"]

__all__ = ["CaptionAttributes", "Params", "main"]


class Params(Section):
    """What this stage reads of params.yaml."""

    device: Literal["cpu", "cuda"]
    caption_attributes: CaptionAttributes


def main() -> None:
    """Reads data/prepared/items.parquet, writes data/attributes/{items.parquet,vocabulary.json}.

    Where the data comes with attributes (FACAD), these are the reference, and all of them are the vocabulary. Else each chunk of tagged descriptions is kept until both are written: a run that was killed goes on from there.
    """
    params = read(Params)
    settings, tagger = params.caption_attributes, MODELS / params.caption_attributes.tagger
    items = read_items(ITEMS, COLUMNS)
    items = items[items["description"].notna()].reset_index(drop=True)
    if items["attributes"].notna().any():
        words = write_own(items)
        print_summary(
            f"wrote data/attributes: {len(items)} descriptions with attributes of their own, {len(words)} different"
        )
        return
    texts = items["description"].tolist()
    with checkpoint_folder(work_folder("caption_attributes", texts, settings, tagger, params.device)) as folder:
        attributes = extract(texts, settings, tagger, params.device, folder)
        words = _write(items, attributes, settings)
    print_summary(
        f"wrote data/attributes: {len(items)} descriptions ({len(set(texts))} different), vocabulary of {len(words)} attributes"
    )


def _write(items: pd.DataFrame, attributes: list[list[str]], settings: CaptionAttributes) -> list[str]:
    """Writes both files and gives the vocabulary."""
    if settings.colour:
        attributes = [with_colour(found, colour) for found, colour in zip(attributes, items["colour"], strict=True)]
    counted = items["split"].eq("train") if settings.corpus == "train" else items["original"]
    words = vocabulary((found for found, count in zip(attributes, counted, strict=True) if count), settings.min_count)
    with new_folder("data/attributes") as partial:
        write_parquet(partial / "items.parquet", _table(items["item_id"].tolist(), attributes))
        write_json(partial / "vocabulary.json", words)
    return words


def write_own(items: pd.DataFrame) -> list[str]:
    """Writes both files from the attributes that the data came with, and gives the vocabulary."""
    own = [[str(word).lower() for word in found] if found is not None else [] for found in items["attributes"]]
    words = sorted({word for found in own for word in found})
    with new_folder("data/attributes") as partial:
        write_parquet(partial / "items.parquet", _table(items["item_id"].tolist(), own))
        write_json(partial / "vocabulary.json", words)
    return words


def with_colour(attributes: list[str], colour: str | None) -> list[str]:
    """The item's colour first; `other` names none."""
    if not isinstance(colour, str) or colour == "other":
        return attributes
    return [colour, *(attribute for attribute in attributes if attribute != colour)]


def vocabulary(documents: Iterable[list[str]], min_count: int) -> list[str]:
    """The attributes of at least `min_count` documents, sorted."""
    counts = Counter(attribute for document in documents for attribute in set(document))
    return sorted(attribute for attribute, count in counts.items() if count >= min_count)


def _table(ids: list[str], attributes: list[list[str]]) -> pa.Table:
    return pa.table({"item_id": pa.array(ids, pa.string()), "attributes": pa.array(attributes, pa.list_(pa.string()))})


if __name__ == "__main__":
    run(main)
