"""What the report shows of training: captions after each epoch."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lookbook.reporting.formatting import Values


def read_samples(folder: Path, captioners: Iterable[str]) -> dict[str, list[Values]]:
    """Read the captions of the same few validation garments after each epoch, for captioners that were trained.

    Returns:
        For each captioner its garments: item_id, reference, and captions in the order of the epochs.
    """
    samples: dict[str, list[Values]] = {}
    for name in captioners:
        path = folder / f"{name}.csv"
        if path.exists():
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            samples[name] = [
                {"item_id": item, "reference": rows["reference"].iloc[0], "captions": rows["caption"].tolist()}
                for item, rows in table.groupby("item_id", sort=False)
            ]
    return {name: garments for name, garments in samples.items() if garments}
