"""The table of captions, as every captioner and every reader of captions has it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.core.outputs import write_parquet
from pipeline.core.stage import print_summary

if TYPE_CHECKING:
    from captioning.modelling import Caption

COLUMNS = {"item_id": "str", "caption": "str", "tokens": "int32", "finished": "bool"}


def make_table(ids: Sequence[str], captions: "Sequence[Caption]") -> pd.DataFrame:
    """Makes columns `item_id`, `caption`, `tokens` (EOS included) and `finished`, with a row for each id."""
    rows = [(item, caption.text, caption.tokens, caption.finished) for item, caption in zip(ids, captions, strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes the table, and says how many captions it has and how many are finished."""
    write_parquet(path, table[list(COLUMNS)].astype(COLUMNS))
    print_summary(
        f"wrote {path}: {len(table)} captions, {table['finished'].mean() if len(table) else 1:.1%} finished, "
        f"{table['tokens'].mean() if len(table) else 0:.1f} tokens on average"
    )
