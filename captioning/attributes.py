"""python -m captioning.attributes: the attributes of every description, and the vocabulary that captions are scored by."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import pandas as pd
import pyarrow as pa

from captioning.tagger.extract import extract
from captioning.tagger.settings import CaptionAttributes
from pipeline.outputs import new_folder, write_json, write_parquet
from pipeline.params import Section, read
from pipeline.stage import done, run

__all__ = ["CaptionAttributes", "Params", "main"]


class Params(Section):
    """What this stage reads of params.yaml."""

    device: Literal["cpu", "cuda"]
    caption_attributes: CaptionAttributes


def main() -> None:
    """Reads data/prepared/items.parquet, writes data/attributes/{items.parquet,vocabulary.json}."""
    params = read(Params)
    settings = params.caption_attributes
    items = pd.read_parquet(
        "data/prepared/items.parquet", columns=["item_id", "description", "colour", "original", "split"]
    )
    items = items[items["description"].notna()].reset_index(drop=True)
    attributes = extract(items["description"].tolist(), settings, f"data/models/{settings.tagger}", params.device)
    if settings.colour:
        attributes = [with_colour(found, colour) for found, colour in zip(attributes, items["colour"], strict=True)]
    counted = items["split"].eq("train") if settings.corpus == "train" else items["original"]
    words = vocabulary((found for found, count in zip(attributes, counted, strict=True) if count), settings.min_count)
    with new_folder("data/attributes") as partial:
        write_parquet(partial / "items.parquet", _table(items["item_id"].tolist(), attributes))
        write_json(partial / "vocabulary.json", words)
    done(
        f"wrote data/attributes: {len(items)} descriptions ({items['description'].nunique()} different), vocabulary of {len(words)} attributes"
    )


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
