"""The table of a text variant: the words of every item, and where they come from."""

from pathlib import Path

import pandas as pd

from catalogue.descriptions.variants import CATALOGUE_OF, SOURCE_OF, is_masked
from pipeline.core.errors import UserError


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
