"""python -m recsys.features --extractor NAME: a feature set of every picture, or of every text variant.

An extractor of image features writes `data/features/image/NAME/`, a row for each item of items.parquet. One of text features
writes `data/features/text/<text>/NAME/` for each text of params.yaml, a row for each item of that text's catalogue; a
text that several items or variants share is encoded once.

What is missing: an item of items.parquet without a picture in `data/prepared/images` is refused (the catalogue `all` is the
articles with one); an item without words has the empty text's vector, as each text variant says which those are (`unfilled`:
every missing description). Rows are found by id, so nothing that is missing moves another row.

`reduce: pca95` projects pictures, and words, on the principal components that keep 95 % of their variance. Those of words are
of the shop's own descriptions, whatever captions there are, so that all variants have the same components.

An extraction that was killed goes on after the last shard of some 4,000 items or texts that it finished; the features have
the same bytes.
"""

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from catalogue.descriptions.variants import CATALOGUE_OF, SHOP_SOURCES, SOURCES
from catalogue.prepared.images import ImageStore
from catalogue.prepared.items import read_items
from features.components import VARIANCE_SHARE, fit_components, project_blocks
from features.files import read_features, write_features
from features.shards import Shards
from pipeline import checkpoints
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.model_folders import MODELS
from pipeline.names import ROOT, check_name
from recsys.extractors import Options, RecFeatures

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
TEXTS = Path("data/texts")
FOLDER = Path("data/features")
CODE = ("pipeline", "features", "catalogue/prepared", "recsys")
LIBRARIES = ("numpy", "torch", "transformers", "pillow")  # other versions may give other bits
BLOCK_ITEMS = 4_096  # written at once
NOTE = "NOT_IN_THIS_STUDY.txt"
KEY = "rec_features.reduce"


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
    inputs = [ITEMS, IMAGES, TEXTS, FOLDER / "image" / "resnet50", *(ROOT / folder for folder in CODE)]
    models = [MODELS / model for model in (options.image_model, options.text_model, options.clip_model)]
    key = [params.texts, options.model_dump()]
    with checkpoints.checkpoint_folder(
        checkpoints.key_folder(f"rec_features-{name}", key, [*inputs, *models], LIBRARIES)
    ) as place:
        if hasattr(extractor, "text_vectors"):
            of_texts(name, extractor, params.texts, options, place)
        else:
            of_images(name, extractor, options, place)


def of_images(name: str, extractor: ModuleType, options: Options, place: Path) -> None:
    """Writes the features of every item's picture.

    Raises:
        UserError: an item has no picture, or a feature is not finite.
    """
    ids = read_items(ITEMS, ["item_id"])["item_id"].tolist()
    pictures = _pictures(extractor, ids, options, place)
    blocks = pictures.blocks() if options.reduce == "none" else project_blocks(pictures.blocks, VARIANCE_SHARE, KEY)
    dim = _written(FOLDER / "image" / name, ids, blocks)
    print_summary(f"wrote {FOLDER / 'image' / name}: {len(ids)} items, {dim} dimensions")


def of_texts(name: str, extractor: ModuleType, texts: list[str], options: Options, place: Path) -> None:
    """Writes the features of every text variant.

    Raises:
        UserError: a text is missing, an item has no picture and the extractor wants one, or a feature is not finite.
    """
    tables = {text: read_text(text) for text in texts}
    vectors = encode_by_source(extractor, list(tables.values()), options, place)
    if options.reduce == "pca95" and vectors:
        vectors = on_own_words(vectors, list(tables.values()))
    ids = sorted({item for table in tables.values() for item in table["item_id"]})
    pictures = np.empty((len(ids), 0), dtype=np.float16)  # (n_items, dim of the picture), dim 0 where words alone count
    if hasattr(extractor, "image_vectors") and ids:
        shards = _pictures(extractor, ids, options, place)
        pictures = shards.read()
        if options.reduce == "pca95":
            pictures = np.concatenate(list(project_blocks(shards.blocks, VARIANCE_SHARE, KEY)))
    row_of_item = {item: row for row, item in enumerate(ids)}
    _leave_out(name, texts)
    dim = 0
    for text, table in tables.items():
        rows = pictures[[row_of_item[item] for item in table["item_id"]]]
        blocks = _side_by_side(rows, table["text"].tolist(), vectors)
        dim = _written(FOLDER / "text" / text / name, table["item_id"].tolist(), blocks)
    print_summary(
        f"wrote {FOLDER / 'text'}/*/{name}: {len(texts)} texts of {len(ids)} items, {len(vectors)} different, {dim} dimensions"
    )


def _leave_out(name: str, texts: list[str]) -> None:
    """A note in the place of each text that is not of this study: dvc.yaml names the outputs of all of them."""
    for text in CATALOGUE_OF.keys() - set(texts):
        with new_folder(FOLDER / "text" / text / name) as partial:
            (partial / NOTE).write_text(f"{text} is not among the `texts` of params.yaml\n", encoding="utf-8")


def encode_by_source(
    extractor: ModuleType, tables: list[pd.DataFrame], options: Options, place: Path
) -> dict[str, np.ndarray]:
    """The vector of each different text, encoded once and beside texts of its own source alone.

    The last bits of a vector depend on the texts in its batch. Fine-tuned captions come last, so that new ones change
    no bit of the features of texts that are not theirs, and nothing that reads those runs again.
    """
    vectors: dict[str, np.ndarray] = {}
    for source in SOURCES:
        words = {text for table in tables for text in table.loc[table["source"] == source, "text"]}
        new = sorted(words - vectors.keys())
        if new:
            encode = lambda some: (extractor.text_vectors(some, options),)  # noqa: E731
            shards = Shards(place / f"texts-{source}", new, encode, options.batch_size)
            vectors |= dict(zip(new, shards.read(), strict=True))
    return vectors


def on_own_words(vectors: dict[str, np.ndarray], tables: list[pd.DataFrame]) -> dict[str, np.ndarray]:
    """The vector of each text on the components of the shop's own descriptions, or of all texts where it has none."""
    own = {text for table in tables for text in table.loc[table["source"].isin(SHOP_SOURCES), "text"]}
    rows = np.stack([vectors[text] for text in sorted(own or vectors)])
    found = fit_components(lambda: iter([rows]), VARIANCE_SHARE, KEY)
    return dict(zip(vectors, found.project(np.stack(list(vectors.values()))), strict=True))


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


def _pictures(extractor: ModuleType, ids: list[str], options: Options, place: Path) -> Shards:
    store = ImageStore(IMAGES)
    store.require(ids)
    vectors = lambda some: (extractor.image_vectors(some, store, options),)  # noqa: E731
    return Shards(place / "pictures", ids, vectors, options.batch_size)


def _side_by_side(pictures: np.ndarray, texts: list[str], vectors: dict[str, np.ndarray]) -> Iterator[np.ndarray]:
    """Rows of picture and words, some thousand at a time: (n_block, dim)."""
    for start in range(0, len(texts), BLOCK_ITEMS):
        block = slice(start, start + BLOCK_ITEMS)
        yield np.hstack([pictures[block], np.stack([vectors[words] for words in texts[block]])])


def _written(folder: Path, ids: list[str], blocks: Iterator[np.ndarray]) -> int:
    """Writes the features; how many dimensions they have."""
    write_features(folder, ids, blocks)
    return read_features(folder).array.shape[1] if ids else 0


def _set_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


if __name__ == "__main__":
    run(main)
