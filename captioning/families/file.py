"""Captions made elsewhere, used like those of any captioner: `captioners: {replay: {family: file}}`.

data/models/replay/ holds `captions.csv` (or `.json`, a list of objects, or `.parquet`) with the columns `id` (or
`item_id`, `image_id`) and `caption`, and `tokens` and `finished` where they are known; other columns are ignored.
`captions-pt` and `captions-ft` instead of `captions` give different captions before and after fine-tuning. There is no
model, so nothing is trained.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from captioning.interchange import caption_files
from captioning.interchange.caption_files import FORMATS, Row, refuse
from pipeline.core.errors import UserError

BOOLEANS = {"true": True, "false": False}


def read_captions(folder: Path, variant: str, ids: Sequence[str], all_ids: Sequence[str]) -> pd.DataFrame:
    """Reads the captions of items, in their order: columns `item_id`, `caption`, `tokens`, `finished`.

    Without a column `tokens` the words are counted; without a column `finished` every caption is finished.

    Args:
        folder: of the captioner, below data/models/.
        variant: `pt` or `ft`.
        ids: items that must have a caption.
        all_ids: items that may have a caption; captions of items beyond `ids` are left out.

    Raises:
        UserError: there is no such file, or two; it lacks a column; or ids are missing, unknown or repeated.
    """
    path = find_file(folder, variant)
    rows = caption_files.read_captions(path)
    allowed = set(all_ids)
    unknown = [item for item in rows if item not in allowed]
    refuse(path, "ids are not in data/prepared/items.parquet", unknown, len(rows))
    missing = [item for item in ids if item not in rows]
    refuse(path, "items of the test split or without description have no caption", missing, len(ids))
    table = _as_table(rows)
    tokens = pd.to_numeric(table["tokens"], errors="coerce")
    wrong = ~(tokens >= 0) | (tokens % 1 != 0)
    refuse(path, "values of tokens are no whole number", table["item_id"][wrong].tolist())
    finished = table["finished"].map(lambda value: BOOLEANS.get(str(value).lower()))
    refuse(path, "values of finished are neither true nor false", table["item_id"][finished.isna()].tolist())
    return table.assign(tokens=tokens, finished=finished).set_index("item_id").loc[list(ids)].reset_index()


def find_file(folder: Path, variant: str) -> Path:
    """Finds the file of a variant: `captions-<variant>.*`, else `captions.*` for both.

    Raises:
        UserError: there is none, or more than one.
    """
    for stem in (f"captions-{variant}", "captions"):
        paths = [folder / f"{stem}{ending}" for ending in FORMATS if (folder / f"{stem}{ending}").is_file()]
        if len(paths) > 1:
            raise UserError(f"{folder}: {' and '.join(path.name for path in paths)}: remove all but one of these files")
        if paths:
            return paths[0]
    raise UserError(
        f"{folder}: no captions-{variant} and no captions, ending in {', '.join(FORMATS)}; put the captions (id, "
        "caption) of this captioner of family file there"
    )


def _as_table(rows: Mapping[str, Row]) -> pd.DataFrame:
    """Builds columns item_id, caption, tokens, finished; a column that the file does not have gets its default."""
    table = pd.DataFrame({"item_id": list(rows), "caption": [row["caption"] for row in rows.values()]})
    words = [len(row["caption"].split()) for row in rows.values()]
    for name, default in (("tokens", words), ("finished", True)):
        named = any(name in row for row in rows.values())
        table[name] = [row.get(name) for row in rows.values()] if named else default
    return table
