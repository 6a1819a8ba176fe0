"""python -m recsys.features_sources --extractor NAME: write the features of the arrivals' words from every source.

Writes `data/features/sources/NAME/<source>/`, a row for each arrival, in one process: a text that several sources share
is encoded once, and one that the text `original` has is not encoded again. An extractor that reads pictures puts the
picture of `data/features/text/original/NAME/` before the words, so that only words differ between two sources.

Of `rec_features` in params.yaml a cell reads the extractor's own sub-section. A killed run continues after the last
shard of some 4,000 texts that it finished; the features have the same bytes (CPU).
"""

import argparse
from pathlib import Path
from typing import Literal

from catalogue.descriptions.sources import SourceName, expand_sources
from pipeline import checkpoints
from pipeline.captioners import Captioners
from pipeline.core.errors import UserError
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import Machine
from pipeline.model_folders import MODELS
from pipeline.names import ROOT, with_sections
from recsys.encoding.encoder import Encoder
from recsys.encoding.feature_sets import read_text
from recsys.encoding.sources import read_source, write_source_features
from recsys.encoding.stored import read_stored_text
from recsys.extractors import ExtractorSettings, RecFeatures, TextExtractor, load

SOURCES = Path("data/sources")
ORIGINAL = Path("data/texts/original.parquet")
STORED = Path("data/features/text/original")
FOLDER = Path("data/features/sources")
LIBRARIES = ("numpy", "torch", "transformers", "sentence-transformers")  # other versions may give other bits
CODE = (  # with the extractor's own file: what a result depends on
    "pipeline/batches.py",
    "pipeline/cluster.py",
    "pipeline/machine.py",
    "pipeline/model_folders.py",
    "features",
    "catalogue/descriptions/sources.py",
    "catalogue/descriptions/variants.py",
    "catalogue/prepared",
    "recsys/features_sources.py",
    "recsys/encoding",
    "recsys/extractors/__init__.py",
)


class Params(Section):
    """What the stage reads of params.yaml; `with_sections` adds the extractors' own sub-sections."""

    captioners: Captioners
    sources: list[SourceName]
    device: Literal["cpu", "cuda"]
    machine: Machine
    rec_features: RecFeatures


def main() -> None:
    """Write the features of every source by one extractor."""
    parser = argparse.ArgumentParser(prog="python -m recsys.features_sources", description="Write features of sources.")
    parser.add_argument("--extractor", required=True, help="the name of a file in recsys/extractors/")
    name = parser.parse_args().extractor
    extractor = load(name)
    if not isinstance(extractor, TextExtractor):
        raise UserError(f"recsys/extractors/{name}.py: no text_vectors: an extractor of text features is needed")
    params = read(with_sections(Params, [name]))
    settings = getattr(params.rec_features, name)
    names = expand_sources(params.sources, params.captioners)
    sources = {source: read_source(SOURCES / f"{source}.parquet") for source in names}
    stored, text = read_stored_text(STORED / name), read_text(ORIGINAL)
    with checkpoints.checkpoint_folder(checkpoint_folder(name, settings, params)) as work:
        encoder = Encoder(name, extractor, settings, params.machine.where(params.device), work)
        n_encoded = write_source_features(FOLDER / name, encoder, sources, stored, text)
    print_summary(f"wrote {FOLDER / name}: {len(sources)} sources, {n_encoded} texts encoded", params.machine.threads)


def checkpoint_folder(name: str, settings: ExtractorSettings, params: Params) -> Path:
    """Return the folder for the shards that are finished."""
    code = [ROOT / path for path in (*CODE, f"recsys/extractors/{name}.py")]
    inputs = [MODELS / settings.model, SOURCES, ORIGINAL, STORED / name, *code]
    keys = [params.sources, sorted(params.captioners), params.device, settings.model_dump()]
    return checkpoints.key_folder(f"rec_features_sources-{name}", keys, inputs, LIBRARIES)


if __name__ == "__main__":
    run(main)
