"""python -m catalogue.texts: write the text variants to data/texts/, from descriptions and the writer's captions."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Field

from catalogue.descriptions.tables import build_text, read_captions
from catalogue.descriptions.variants import SOURCE_OF, Text, is_written_by_captioner
from catalogue.prepared.items import read_items
from pipeline.core.outputs import new_folder, write_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run

ITEMS = Path("data/prepared/items.parquet")
CAPTIONS = Path("data/captions")
TEXTS = Path("data/texts")


class Params(Section):
    """What this stage reads of params.yaml."""

    writer: Annotated[str, Field(min_length=1)]
    texts: list[Text]  # empty in a study of captions alone


def main() -> None:
    """Write a table for each text of params.yaml."""
    params = read(Params)
    items = read_items(ITEMS, ["item_id", "description", "original", "split"])
    variants = sorted({SOURCE_OF[text] for text in params.texts if is_written_by_captioner(SOURCE_OF[text])})
    captions: dict[str, pd.Series] = {
        variant: read_captions(CAPTIONS / f"{params.writer}-{variant}.parquet") for variant in variants
    }
    with new_folder(TEXTS) as folder:
        for text in params.texts:
            write_parquet(folder / f"{text}.parquet", build_text(items, text, captions))
    print_summary(f"wrote {TEXTS}: {', '.join(params.texts)}; captions by {params.writer}")


if __name__ == "__main__":
    run(main)
