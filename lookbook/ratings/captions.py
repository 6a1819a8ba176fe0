"""The captions of each arm, as a round shows them: data/captions/<captioner>-<variant>.parquet, and descriptions."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from catalogue.prepared.items import read_items
from lookbook.ratings.rounds import REFERENCE, split_arm
from pipeline.core.outputs import read_parquet

COLUMNS = ["item_id", "group", "category", "split"]
FIXED_PROMPT = re.compile(r"\s*(this is |here is )?(a|an|the) (picture|photo|photograph|image) of\b", re.IGNORECASE)
MODELS = ("blip", "llava", "qwen", "smolvlm", "language model")


def read_garments(path: Path) -> pd.DataFrame:
    """Read what a round is drawn from: item_id, group, category, split of every item, sorted by id.

    Raises:
        UserError: the file is missing or lacks a column.
    """
    return read_items(path, COLUMNS)


def read_captions(folder: Path, items: Path, arms: Iterable[str]) -> dict[str, dict[str, str]]:
    """Read the captions of the arms: arm -> item -> caption; the reference is the item's own description.

    Raises:
        UserError: a file is missing.
    """
    captions = {}
    for arm in arms:
        if arm == REFERENCE:
            table = read_items(items, ["item_id", "description"]).dropna().rename(columns={"description": "caption"})
        else:
            table = read_parquet(folder / f"{arm}.parquet")[["item_id", "caption"]]
        captions[arm] = dict(zip(table["item_id"].astype(str), table["caption"].astype(str), strict=True))
    return captions


def count_telltales(captions: Mapping[str, str], item_ids: Sequence[str], arm: str) -> dict[str, int]:
    """Count captions by which a rater could tell the arm.

    Returns:
        names_model: those with the name of a model in them. fixed_prompt: those that begin as "a picture of".
    """
    names = {*MODELS, split_arm(arm)[0].lower()} - {REFERENCE}
    texts = [captions[item].lower() for item in item_ids if item in captions]
    return {
        "names_model": sum(any(name in text for name in names) for text in texts),
        "fixed_prompt": sum(FIXED_PROMPT.match(text) is not None for text in texts),
    }
