"""python -m catalogue.texts: write the text variants to data/texts/, from descriptions and the writer's captions."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Field

from catalogue.descriptions.variants import CATALOGUE_OF, SOURCE_OF, Text, is_masked, is_written_by_captioner
from catalogue.prepared.items import read_items
from pipeline.core.errors import UserError
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


def read_captions(path: Path) -> pd.Series:
    """Read the caption of each item, by item_id.

    Raises:
        UserError: there is no such file.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; run `dvc repro`, or set writer in params.yaml to one of its captioners")
    table = pd.read_parquet(path, columns=["item_id", "caption"])
    return table.set_index("item_id")["caption"]


def build_text(items: pd.DataFrame, text: str, captions: dict[str, pd.Series]) -> pd.DataFrame:
    """Build the table of a text variant, sorted by item_id.

    Args:
        items: item_id, description, original and split of the prepared items.
        text: The name of the variant.
        captions: "pt" and "ft" where the text needs them: caption by item_id.

    Returns:
        item_id, text, source and masked of every item of the text's catalogue.

    Raises:
        UserError: an item that needs a caption has none.
    """
    if CATALOGUE_OF[text] == "original":
        items = items[items["original"]]
    items = items.sort_values("item_id", ignore_index=True)
    masked = (items["split"] == "test") & is_masked(text)
    rewritten = masked | items["description"].isna()
    words = items["description"].fillna("").astype(object)
    source = pd.Series("own", index=items.index, dtype=object)
    source[rewritten] = SOURCE_OF[text]
    if SOURCE_OF[text] in captions:
        words[rewritten] = _select_captions(items.loc[rewritten, "item_id"], captions[SOURCE_OF[text]], text)
    elif SOURCE_OF[text] == "none":
        words[rewritten] = ""
    return pd.DataFrame({"item_id": items["item_id"], "text": words, "source": source, "masked": masked})


def _select_captions(item_ids: pd.Series, captions: pd.Series, text: str) -> pd.Series:
    selected = item_ids.map(captions)
    missing = item_ids[selected.isna()]
    if len(missing):
        raise UserError(
            f"text {text}: {len(missing)} of {len(item_ids)} items that need a caption have none, first "
            f"{missing.iloc[0]}; run `dvc repro` to write them"
        )
    return selected


if __name__ == "__main__":
    run(main)
