"""Captions made elsewhere, used like those of any captioner: `captioners: {replay: {family: file}}`.

data/models/replay/ holds `captions.csv` (or `.json`, a list of objects, or `.parquet`) with the columns `id` (or
`item_id`, `image_id`) and `caption`, and `tokens` and `finished` where they are known; other columns are ignored.
`captions-pt` and `captions-ft` instead of `captions` give different captions before and after fine-tuning. There is no
model, so nothing is trained.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import UserError, first_five

FORMATS = (".csv", ".json", ".parquet")
IDS = ("item_id", "image_id", "id")
BOOLEANS = {"true": True, "false": False}
TEXT = dict.fromkeys((*IDS, "caption"), str)  # in CSV; else an id would lose its leading zeros


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
    table = _read(path)
    items = table["item_id"]
    allowed = set(all_ids)
    _refuse(path, "ids come more than once", items[items.duplicated()].unique().tolist())
    unknown = [item for item in items if item not in allowed]
    _refuse(path, "ids are not in data/prepared/items.parquet", unknown, len(items))
    _refuse(path, "captions are no text", items[~table["caption"].map(lambda text: isinstance(text, str))].tolist())
    tokens = pd.to_numeric(table["tokens"], errors="coerce")
    _refuse(path, "values of tokens are no whole number", items[~(tokens >= 0) | (tokens % 1 != 0)].tolist())
    finished = table["finished"].map(lambda value: BOOLEANS.get(str(value).lower()))
    _refuse(path, "values of finished are neither true nor false", items[finished.isna()].tolist())
    table = table.assign(tokens=tokens, finished=finished)
    captioned = set(items)
    missing = [item for item in ids if item not in captioned]
    _refuse(path, "items of the test split or without description have no caption", missing, len(ids))
    return table.set_index("item_id").loc[list(ids)].reset_index()


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


def _read(path: Path) -> pd.DataFrame:
    try:
        table = _read_rows(path)
    except (ValueError, OSError) as error:  # of pandas and pyarrow alike
        raise UserError(f"{path}: cannot be read as {path.suffix[1:]}: {str(error).splitlines()[0]}") from None
    key = next((name for name in IDS if name in table), None)
    if key is None or "caption" not in table:
        raise UserError(f"{path}: needs the columns id and caption; it has {', '.join(map(str, table)) or 'none'}")
    table = table.rename(columns={key: "item_id"}).astype({"item_id": str})
    table["tokens"] = (
        table["tokens"] if "tokens" in table else table["caption"].map(lambda text: len(str(text).split()))
    )
    table["finished"] = table.get("finished", True)
    return table[["item_id", "caption", "tokens", "finished"]]


def _read_rows(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype=TEXT, keep_default_na=False)
    if path.suffix == ".json":
        return pd.read_json(path, orient="records", dtype=False)
    return pd.read_parquet(path)


def _refuse(path: Path, what: str, ids: Sequence[str], of: int | None = None) -> None:
    if ids:
        raise UserError(f"{path}: {len(ids)}{f' of {of}' if of else ''} {what}, first {first_five(ids)}")
