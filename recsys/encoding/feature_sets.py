"""Feature files: of every picture, or of every text variant."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from catalogue.descriptions.variants import SHOP_SOURCES, SOURCES
from features.components import Components
from features.files import read_features, write_features
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder
from recsys.encoding.encoder import Encoder
from recsys.encoding.stored import project, write_layout

BLOCK_ITEMS = 4_096  # written at once
NOTE = "NOT_IN_THIS_STUDY.txt"


def write_image_features(folder: Path, encoder: Encoder, ids: Sequence[str], images: Path) -> int:
    """Write the features of every item's picture, and return their number of dimensions.

    Args:
        folder: where to.
        encoder: an extractor of image features.
        ids: the items.
        images: the folder of packed images.

    Raises:
        UserError: an item has no picture, or a feature is not finite.
    """
    return _write(folder, ids, encoder.reduce_pictures(encoder.encode_pictures(ids, images)))


def write_text_features(
    folders: Mapping[str, Path],
    encoder: Encoder,
    tables: Mapping[str, pd.DataFrame],
    images: Path,
    train: Collection[str],
) -> tuple[int, int]:
    """Write the features of every text variant, a row for each item of its catalogue.

    Args:
        folders: text variant → where to.
        encoder: an extractor of text features.
        tables: text variant → `item_id`, `text` and `source`.
        images: the folder of packed images.
        train: ids of the train items; where `reduce` says so, words are projected on the components of theirs.

    Returns:
        How many different texts there are, and the number of dimensions.

    Raises:
        UserError: an item has no picture and the extractor reads pictures, or a feature is not finite.
    """
    vectors, components = _encode(encoder, list(tables.values()), train)
    ids = sorted({item for table in tables.values() for item in table["item_id"]})
    pictures = np.empty((len(ids), 0), dtype=np.float16)  # (n_items, dim of the picture), dim 0 without pictures
    if encoder.reads_pictures and ids:
        pictures = np.concatenate(list(encoder.reduce_pictures(encoder.encode_pictures(ids, images))))
    row_of_item = {item: row for row, item in enumerate(ids)}
    dim = 0
    for text, table in tables.items():
        rows = pictures[[row_of_item[item] for item in table["item_id"]]]
        blocks = place_side_by_side(rows, table["text"].tolist(), vectors)
        with new_folder(folders[text]) as folder:
            dim = _write(folder, table["item_id"].tolist(), blocks)
            write_layout(folder, pictures.shape[1], components)
    return len(vectors), dim


def write_note(folder: Path, text: str) -> None:
    """Write a note for a text variant that the study lacks: dvc.yaml names the outputs of all variants."""
    with new_folder(folder) as partial:
        (partial / NOTE).write_text(f"{text} is not among the `texts` of params.yaml\n", encoding="utf-8")


def read_text(path: Path) -> pd.DataFrame:
    """Read `item_id`, `text` and `source` of a text variant.

    Raises:
        UserError: there is no such variant, or an item has a null text ("" is a text without words).
    """
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; is {path.stem!r} one of the `texts` of params.yaml? "
            "`dvc repro catalogue_texts` writes it"
        )
    table = pd.read_parquet(path, columns=["item_id", "text", "source"])
    if table["text"].isna().any():
        item = table["item_id"][table["text"].isna()].iloc[0]
        raise UserError(
            f"{path}: item {item} has a null text, and an empty one is expected where there are no words; "
            "`dvc repro catalogue_texts` writes it again"
        )
    return table


def place_side_by_side(
    pictures: np.ndarray, texts: Sequence[str], vectors: Mapping[str, np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield rows of picture and words, some thousand at a time: (n_block, dim)."""
    for start in range(0, len(texts), BLOCK_ITEMS):
        block = slice(start, start + BLOCK_ITEMS)
        yield np.hstack([pictures[block], np.stack([vectors[text] for text in texts[block]])])


def _encode(
    encoder: Encoder, tables: Sequence[pd.DataFrame], train: Collection[str]
) -> tuple[dict[str, np.ndarray], Components | None]:
    """Encode the texts of all variants, fine-tuned captions last, and project them where `reduce` says so.

    The components are of the shop's own words of the train items: nothing that a recommender is fitted on has seen the
    descriptions of arrivals.
    """
    groups: dict[str, set[str]] = {
        source: {text for table in tables for text in table.loc[table["source"] == source, "text"]}
        for source in SOURCES
    }
    vectors = encoder.encode_texts(groups)
    own = {
        text
        for table in tables
        for text in table.loc[table["source"].isin(SHOP_SOURCES) & table["item_id"].isin(train), "text"]
    }
    components = encoder.fit_words(vectors, own)
    return project(vectors, components), components


def _write(folder: Path, ids: Sequence[str], blocks: Iterator[np.ndarray]) -> int:
    """Write the features, and return their number of dimensions."""
    write_features(folder, ids, blocks)
    return read_features(folder).array.shape[1] if ids else 0
