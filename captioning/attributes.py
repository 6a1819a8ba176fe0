"""python -m captioning.attributes: extracts the attributes of every description, and the vocabulary of caption scores.

Writes data/attributes/{items.parquet,vocabulary.json}. Where the data comes with attributes (FACAD), these are the
reference, and all of them are the vocabulary. Else descriptions are tagged in chunks, and finished chunks are stored
until both files are written: a run that was killed continues from there.
"""

import sys
from pathlib import Path
from typing import Literal

from captioning.tagging import vocabulary
from captioning.tagging.advice import warn_of_tiny
from captioning.tagging.extract import extract, name_work_folder
from captioning.tagging.settings import CaptionAttributes
from catalogue.prepared.items import read_items
from pipeline.checkpoints import checkpoint_folder
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import Machine
from pipeline.model_folders import MODELS

ITEMS = Path("data/prepared/items.parquet")
ATTRIBUTES = Path("data/attributes")


class Params(Section):
    """The keys of params.yaml that this stage reads."""

    dataset: str
    device: Literal["cpu", "cuda"]
    machine: Machine
    caption_attributes: CaptionAttributes


def main() -> None:
    """Read the attributes that the data came with, or tag every description, and write them with their vocabulary."""
    params = read(Params)
    settings, tagger = params.caption_attributes, MODELS / params.caption_attributes.tagger
    items = read_items(ITEMS, ["item_id", "description", "colour", "original", "split", "attributes"])
    items = items[items["description"].notna()].reset_index(drop=True)
    ids, texts = items["item_id"].tolist(), items["description"].tolist()
    if items["attributes"].notna().any():
        attributes = vocabulary.lower_own(items)
        words = sorted({word for of_item in attributes for word in of_item})
        vocabulary.write(ATTRIBUTES, ids, attributes, words)
        print_summary(
            f"wrote {ATTRIBUTES}: {len(items)} descriptions with attributes of their own, {len(words)} different"
        )
        return
    warning, advice = warn_of_tiny(params.dataset, settings.tagger, settings.package, MODELS)
    if warning:
        print(f"warning: {warning}; {advice}", file=sys.stderr, flush=True)
    with checkpoint_folder(name_work_folder("caption_attributes", texts, settings, tagger, params.device)) as folder:
        how = settings, tagger, params.device, folder, params.machine.threads
        attributes = extract(texts, *how)
        if settings.colour:
            colours = vocabulary.list_colours(items)
            tagged = extract([vocabulary.write_out(colour) for colour in colours], *how)
            words_of = {
                colour: vocabulary.choose_words(colour, of_colour)
                for colour, of_colour in zip(colours, tagged, strict=True)
            }
            attributes = vocabulary.add_colours(items, attributes, words_of)
        words = vocabulary.make_vocabulary(items, attributes, settings)
        vocabulary.write(ATTRIBUTES, ids, attributes, words)
    print_summary(
        f"wrote {ATTRIBUTES}: {len(items)} descriptions ({len(set(texts))} different), "
        f"vocabulary of {len(words)} attributes",
        params.machine.threads,
    )


if __name__ == "__main__":
    run(main)
