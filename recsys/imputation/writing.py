"""Feature folders of imputed words: the item's own picture first, where the extractor reads pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from features.files import write_features
from pipeline.core.outputs import new_folder, write_json
from recsys.encoding.stored import StoredText

ABOUT = "imputation.json"  # beside the features: what was chosen


def write_imputed(
    folder: Path, stored: StoredText, ids: list[str], words: np.ndarray, about: Mapping[str, Any]
) -> None:
    """Write the pictures and the imputed words of some items, side by side.

    Args:
        folder: is replaced.
        stored: the features of a text, with the items' own pictures.
        ids: the items.
        words: their vectors, (len(ids), dim of the words).
        about: what was chosen and counted.

    Raises:
        UserError: an item has no features.
    """
    with new_folder(folder) as partial:
        write_features(partial, ids, np.hstack([stored.take_pictures(ids), words]))
        write_json(partial / ABOUT, dict(about))
