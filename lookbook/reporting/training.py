"""What the report shows of training: losses, captions after each epoch, seconds and emissions."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lookbook.reporting.formatting import Values
from pipeline.core.outputs import read_json


def read_curves(folder: Path, captioners: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Read the learning curve of each captioner that has one."""
    paths = {name: folder / f"{name}.csv" for name in captioners}
    return {name: pd.read_csv(path) for name, path in paths.items() if path.exists()}


def sum_energy(folder: Path, captioners: Iterable[str]) -> Values:
    """Add up the run records of the captioners that have one.

    Returns:
        `captioners`, the number of records; `seconds`; `kwh` and `kg_co2` where every record has them.
    """
    paths = [folder / f"{name}.json" for name in captioners]
    records = [read_json(path) for path in paths if path.exists()]
    sums: Values = {"captioners": len(records)}
    for key in ("seconds", "kwh", "kg_co2"):
        values = [record[key] for record in records if key in record]
        if values and len(values) == len(records):
            sums[key] = sum(values)
    return sums


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
