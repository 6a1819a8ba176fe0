"""python -m recsys.features --extractor NAME: a feature set of every picture, or of every text variant.

An extractor of image features writes `data/features/image/NAME/`, a row for each item of items.parquet. One of text features
writes `data/features/text/<text>/NAME/` for each text of params.yaml, a row for each item of that text's catalogue; a
text that several items or variants share is encoded once.
"""

import argparse
import importlib
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from catalogue.images import ImageStore
from pipeline.errors import UserError
from pipeline.features import write_features
from pipeline.names import check_name
from pipeline.params import Section, read
from pipeline.stage import done, run
from recsys.extractors import Options, RecFeatures

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
TEXTS = Path("data/texts")
FOLDER = Path("data/features")
SOURCES = ("none", "own", "reference", "pt", "ft")  # of a text, as catalogue.texts writes them


class Params(Section):
    texts: list[str]
    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Field(gt=0)]
    rec_features: RecFeatures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[1] if __doc__ else None)
    parser.add_argument("--extractor", required=True, help="the name of a file in recsys/extractors/")
    name = parser.parse_args().extractor
    params = read(Params)
    check_name("extractor", name, "recsys/extractors")
    options = Options(**params.rec_features.model_dump(), device=params.device)
    _set_threads(params.threads)
    extractor = importlib.import_module(f"recsys.extractors.{name}")
    if hasattr(extractor, "text_vectors"):
        of_texts(name, extractor, params.texts, options)
    else:
        of_images(name, extractor, options)


def of_images(name: str, extractor: ModuleType, options: Options) -> None:
    """Writes the features of every item's picture."""
    ids = pd.read_parquet(ITEMS, columns=["item_id"])["item_id"].tolist()
    vectors = extractor.image_vectors(ids, ImageStore(IMAGES), options)  # (n_items, dim)
    write_features(FOLDER / "image" / name, ids, vectors)
    done(f"wrote {FOLDER / 'image' / name}: {len(ids)} items, {vectors.shape[1]} dimensions")


def of_texts(name: str, extractor: ModuleType, texts: list[str], options: Options) -> None:
    """Writes the features of every text variant."""
    tables = {text: read_text(text) for text in texts}
    vectors = encode_by_source(extractor, list(tables.values()), options)
    ids = sorted({item for table in tables.values() for item in table["item_id"]})
    pictures = _pictures(extractor, ids, options)  # (n_items, dim of the picture), dim 0 where words alone count
    row_of_item = {item: row for row, item in enumerate(ids)}
    for text, table in tables.items():
        of_words = np.stack([vectors[words] for words in table["text"]])  # (n_items, dim of the text)
        of_pictures = pictures[[row_of_item[item] for item in table["item_id"]]]
        write_features(FOLDER / "text" / text / name, table["item_id"].tolist(), np.hstack([of_pictures, of_words]))
    dimensions = pictures.shape[1] + len(next(iter(vectors.values()), ()))
    done(
        f"wrote {FOLDER / 'text'}/*/{name}: {len(texts)} texts of {len(ids)} items, {len(vectors)} different, {dimensions} dimensions"
    )


def encode_by_source(extractor: ModuleType, tables: list[pd.DataFrame], options: Options) -> dict[str, np.ndarray]:
    """The vector of each different text, encoded once and beside texts of its own source alone.

    The last bits of a vector depend on the texts in its batch. Fine-tuned captions come last, so that new ones change
    no bit of the features of texts that are not theirs, and nothing that reads those runs again.
    """
    vectors: dict[str, np.ndarray] = {}
    for source in SOURCES:
        words = {text for table in tables for text in table.loc[table["source"] == source, "text"]}
        new = sorted(words - vectors.keys())
        if new:
            vectors |= dict(zip(new, extractor.text_vectors(new, options), strict=True))
    return vectors


def read_text(text: str) -> pd.DataFrame:
    """`item_id`, `text` and `source` of the catalogue of a text variant.

    Raises:
        UserError: there is no such variant, or it has no words for an item ("" says that there are none).
    """
    path = TEXTS / f"{text}.parquet"
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; is {text!r} one of the `texts` of params.yaml? `dvc repro catalogue_texts` writes it"
        )
    table = pd.read_parquet(path, columns=["item_id", "text", "source"])
    if table["text"].isna().any():
        raise UserError(
            f"{path}: item {table['item_id'][table['text'].isna()].iloc[0]} has a null text; expected an empty one where there is none"
        )
    return table


def _pictures(extractor: ModuleType, ids: list[str], options: Options) -> np.ndarray:
    if not hasattr(extractor, "image_vectors"):
        return np.empty((len(ids), 0), dtype=np.float32)
    return extractor.image_vectors(ids, ImageStore(IMAGES), options)


def _set_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


if __name__ == "__main__":
    run(main)
