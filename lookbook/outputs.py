"""What the line has written so far, as the roof reads it."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import UserError


def read_json(path: Path | str) -> dict[str, Any]:
    """Raises UserError where a stage has yet to write it."""
    return json.loads(there(path).read_text(encoding="utf-8"))


def read_parquet(path: Path | str) -> pd.DataFrame:
    """Raises UserError where a stage has yet to write it."""
    return pd.read_parquet(there(path))


def there(path: Path | str) -> Path:
    """The path. Raises UserError where a stage has yet to write it."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file; run `dvc repro` to make it")
    return path
