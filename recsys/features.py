"""python -m recsys.features --extractor NAME: write a feature set of every picture, or of every text variant.

An extractor of image features writes `data/features/image/NAME/`, a row for each item of items.parquet. One of text
features writes `data/features/text/<text>/NAME/` for each text of params.yaml, a row for each item of that text's
catalogue; a text that several items or variants share is encoded once.

An item of items.parquet without a picture in `data/prepared/images` is refused (the catalogue `all` is the articles
with one). An item without words has the vector of the empty text; each text variant says which items those are
(`unfilled`: every missing description). Rows are found by id, so no missing item moves another row.

`reduce: pca95` projects pictures, and words, on the principal components that keep 95 % of their variance. Those of
words are of the shop's own descriptions of the train items, whatever captions there are: all variants have the same
components, and the words of arrivals have no part in what recommenders are fitted on.

Of `rec_features` in params.yaml a cell reads the extractor's own sub-section. A killed extraction continues after the
last shard of some 4,000 items or texts that it finished; the features have the same bytes (CPU).
"""

import argparse
from pathlib import Path
from typing import Literal

from catalogue.descriptions.variants import CATALOGUE_OF
from catalogue.prepared.items import read_items
from pipeline import checkpoints
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import Machine
from pipeline.model_folders import MODELS
from pipeline.names import ROOT, with_sections
from recsys.encoding.encoder import Encoder
from recsys.encoding.feature_sets import read_text, write_image_features, write_note, write_text_features
from recsys.extractors import Extractor, ExtractorSettings, ImageExtractor, RecFeatures, TextExtractor, load

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
TEXTS = Path("data/texts")
FOLDER = Path("data/features")
RESNET50 = Path("data/features/image/resnet50")
LIBRARIES = ("numpy", "torch", "transformers", "sentence-transformers", "pillow")  # other versions may give other bits
CODE = (  # with the extractor's own file: what a result depends on
    "pipeline/batches.py",
    "pipeline/cluster.py",
    "pipeline/machine.py",
    "pipeline/model_folders.py",
    "features",
    "catalogue/descriptions/variants.py",
    "catalogue/prepared",
    "recsys/features.py",
    "recsys/encoding",
    "recsys/extractors/__init__.py",
)


class Params(Section):
    """What the stage reads of params.yaml; `with_sections` adds the extractors' own sub-sections."""

    texts: list[str]
    device: Literal["cpu", "cuda"]
    machine: Machine
    rec_features: RecFeatures


def main() -> None:
    """Write the features of one extractor."""
    parser = argparse.ArgumentParser(prog="python -m recsys.features", description="Write a feature set.")
    parser.add_argument("--extractor", required=True, help="the name of a file in recsys/extractors/")
    name = parser.parse_args().extractor
    extractor = load(name)
    params = read(with_sections(Params, [name]))
    settings = getattr(params.rec_features, name)
    with checkpoints.checkpoint_folder(checkpoint_folder(name, extractor, settings, params)) as work:
        encoder = Encoder(name, extractor, settings, params.machine.where(params.device), work)
        message = encode_texts(encoder, params.texts) if encoder.reads_texts else encode_pictures(encoder)
    print_summary(message, params.machine.threads)


def encode_pictures(encoder: Encoder) -> str:
    """Write the features of every item's picture."""
    ids = read_items(ITEMS, ["item_id"])["item_id"].tolist()
    folder = FOLDER / "image" / encoder.name
    dim = write_image_features(folder, encoder, ids, IMAGES)
    return f"wrote {folder}: {len(ids)} items, {dim} dimensions"


def encode_texts(encoder: Encoder, texts: list[str]) -> str:
    """Write the features of every text variant, and a note for each variant that the study lacks."""
    tables = {text: read_text(TEXTS / f"{text}.parquet") for text in texts}
    folders = {text: FOLDER / "text" / text / encoder.name for text in CATALOGUE_OF}
    items = read_items(ITEMS, ["item_id", "split"])
    train = items.loc[items["split"] == "train", "item_id"].tolist()
    n_texts, dim = write_text_features(folders, encoder, tables, IMAGES, train)
    for text in CATALOGUE_OF.keys() - set(texts):
        write_note(folders[text], text)
    n_items = len({item for table in tables.values() for item in table["item_id"]})
    where = FOLDER / "text"
    return (
        f"wrote {where}/*/{encoder.name}: {len(texts)} texts of {n_items} items, {n_texts} different, {dim} dimensions"
    )


def checkpoint_folder(name: str, extractor: Extractor, settings: ExtractorSettings, params: Params) -> Path:
    """Return the folder for the shards that are finished."""
    inputs = [MODELS / settings.model, *(ROOT / path for path in (*CODE, f"recsys/extractors/{name}.py"))]
    if isinstance(extractor, ImageExtractor):
        inputs.append(IMAGES)
    if isinstance(extractor, TextExtractor):
        inputs += [TEXTS, RESNET50]
    else:
        inputs.append(ITEMS)
    texts = params.texts if isinstance(extractor, TextExtractor) else None
    return checkpoints.key_folder(
        f"rec_features-{name}", [texts, params.device, settings.model_dump()], inputs, LIBRARIES
    )


if __name__ == "__main__":
    run(main)
