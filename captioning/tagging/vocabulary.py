"""Builds the attributes of items and the vocabulary that captions are scored by, and writes both."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from captioning.tagging.settings import CaptionAttributes
from pipeline.core.outputs import new_folder, write_json, write_parquet

NO_COLOUR = "other"


def list_colours(items: pd.DataFrame) -> list[str]:
    """List the different colours of items, sorted; `other` is no colour, in any case.

    Args:
        items: column colour.
    """
    return sorted({text for text in items["colour"] if isinstance(text, str) and text.lower() != NO_COLOUR})


def write_out(colour: str) -> str:
    """Write a colour as a description would: in lower case, with commas for the signs between several.

    >>> write_out("Black/White"), write_out("Navy Blue")
    ('black, white', 'navy blue')
    """
    return re.sub(r"\s*[/|;&+,_]+\s*", ", ", colour.lower()).strip(", ")


def choose_words(colour: str, attributes: list[str]) -> list[str]:
    """Choose the words of a colour: its attributes as a text, else each of its words.

    A caption can match "navy" and "blue", never "Navy Blue".

    >>> choose_words("Navy Blue", ["navy", "blue"]), choose_words("Écru", [])
    (['navy', 'blue'], ['écru'])
    """
    return attributes or re.findall(r"[^\W_]+", colour.lower())


def add_colours(
    items: pd.DataFrame, attributes: Sequence[list[str]], words: Mapping[str, list[str]]
) -> list[list[str]]:
    """Put the words of the colour of each item before its attributes, each once.

    Args:
        items: column colour.
        attributes: of each item.
        words: of each colour.
    """
    colours = [words.get(colour, []) if isinstance(colour, str) else [] for colour in items["colour"]]
    return [list(dict.fromkeys([*first, *rest])) for first, rest in zip(colours, attributes, strict=True)]


def lower_own(items: pd.DataFrame) -> list[list[str]]:
    """Return the attributes that the data came with, in lower case; none where an item has none.

    Args:
        items: column attributes.
    """
    return [[str(word).lower() for word in of_item] if of_item is not None else [] for of_item in items["attributes"]]


def make_vocabulary(items: pd.DataFrame, attributes: Sequence[list[str]], settings: CaptionAttributes) -> list[str]:
    """List the attributes that are frequent enough in the corpus, sorted.

    Args:
        items: columns split and original.
        attributes: of each item.
        settings: the section `caption_attributes`: corpus and min_count.
    """
    in_corpus = items["split"].eq("train") if settings.corpus == "train" else items["original"]
    documents = (of_item for of_item, counts in zip(attributes, in_corpus, strict=True) if counts)
    return select_frequent(documents, settings.min_count)


def select_frequent(documents: Iterable[list[str]], min_count: int) -> list[str]:
    """List the attributes of at least `min_count` documents, sorted.

    >>> select_frequent([["red", "dress"], ["red", "red", "cap"], ["cap"]], 2)
    ['cap', 'red']
    """
    counts = Counter(attribute for document in documents for attribute in set(document))
    return sorted(attribute for attribute, count in counts.items() if count >= min_count)


def write(folder: Path, ids: list[str], attributes: Sequence[list[str]], vocabulary: list[str]) -> None:
    """Write items.parquet (item_id, attributes) and vocabulary.json to a new folder."""
    columns = {"item_id": pa.array(ids, pa.string()), "attributes": pa.array(attributes, pa.list_(pa.string()))}
    with new_folder(folder) as partial:
        write_parquet(partial / "items.parquet", pa.table(columns))
        write_json(partial / "vocabulary.json", vocabulary)
