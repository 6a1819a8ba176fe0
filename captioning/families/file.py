"""Captions made elsewhere enter the line like any captioner's: `captioners: {replay: {family: file}}`.

data/models/replay/ holds `captions.csv` (or `.json`, a list of objects, or `.parquet`) with the columns `id` (or `item_id`,
`image_id`) and `caption`, and `tokens` and `finished` where they are known; other columns are ignored. With `captions-pt` and
`captions-ft` in its place, what was said before and after fine-tuning differs. There is no model, so nothing is trained.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import UserError, first_five

FORMATS = (".csv", ".json", ".parquet")
IDS = ("item_id", "image_id", "id")
BOOLEANS = {"true": True, "false": False}
TEXT = dict.fromkeys((*IDS, "caption"), str)  # in CSV; else an id would lose its leading zeros


def read_captions(folder: Path, variant: str, wanted: Sequence[str], known: Sequence[str]) -> pd.DataFrame:
    """Columns `item_id`, `caption`, `tokens`, `finished` of the wanted items, in their order.

    What the file does not say: `tokens` then counts words, and every caption is finished.

    Args:
        folder: of the captioner, below data/models/.
        variant: `pt` or `ft`.
        wanted: ids that must have a caption.
        known: ids that may have one; those beyond the wanted are left out.

    Raises:
        UserError: there is no such file, or two; it lacks a column; or ids are missing, unknown or there twice.
    """
    path = find(folder, variant)
    table = _read(path)
    ids = table["item_id"]
    allowed = set(known)
    _refuse(path, "ids come more than once", ids[ids.duplicated()].unique().tolist())
    _refuse(path, "ids are not in data/prepared/items.parquet", [one for one in ids if one not in allowed], len(ids))
    _refuse(path, "captions are no text", ids[~table["caption"].map(lambda text: isinstance(text, str))].tolist())
    tokens = pd.to_numeric(table["tokens"], errors="coerce")
    _refuse(path, "values of tokens are no whole number", ids[~(tokens >= 0) | (tokens % 1 != 0)].tolist())
    finished = table["finished"].map(lambda value: BOOLEANS.get(str(value).lower()))
    _refuse(path, "values of finished are neither true nor false", ids[finished.isna()].tolist())
    table = table.assign(tokens=tokens, finished=finished)
    given = set(ids)
    lost = [one for one in wanted if one not in given]
    _refuse(path, "items of the test split or without description have no caption", lost, len(wanted))
    return table.set_index("item_id").loc[list(wanted)].reset_index()


def find(folder: Path, variant: str) -> Path:
    """The file of a variant: `captions-<variant>.*`, else `captions.*` for both.

    Raises:
        UserError: there is none, or more than one.
    """
    for stem in (f"captions-{variant}", "captions"):
        found = [folder / f"{stem}{ending}" for ending in FORMATS if (folder / f"{stem}{ending}").is_file()]
        if len(found) > 1:
            raise UserError(f"{folder}: {' and '.join(path.name for path in found)}: which one? Remove all but one")
        if found:
            return found[0]
    raise UserError(
        f"{folder}: no captions-{variant} and no captions, ending in {', '.join(FORMATS)}; a captioner of family file has "
        "its captions (id, caption) there"
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        table = _rows(path)
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


def _rows(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype=TEXT, keep_default_na=False)
    if path.suffix == ".json":
        return pd.read_json(path, orient="records", dtype=False)
    return pd.read_parquet(path)


def _refuse(path: Path, what: str, ids: Sequence[str], of: int | None = None) -> None:
    if ids:
        raise UserError(f"{path}: {len(ids)}{f' of {of}' if of else ''} {what}, first {first_five(ids)}")
