"""The catalogue's counts: filters, splits, leakage; and the warning below every table of unverified data."""

from dataclasses import replace
from typing import Any

import pandas as pd

from lookbook.reporting.formatting import Table, Values

# Filters are applied one after another; the count of a row is what remains after it.
CATALOGUE_ROWS = {
    "with_description": "… and with a description",
    "with_image": "… and with an image",
    "frequent_type": "… and of a product type with enough articles",
    "frequent_types": "product types with enough articles (H&M as published: 100)",
    "fashion": "… and fashion or accessories",
    "fashion_types": "product types that are fashion or accessories (as published: H&M 89, FACAD 78)",
    "catalogue_original": "catalogue original: what all filters leave",
    "catalogue_all": "catalogue all: any article with an image",
    "without_description": "… of these without a description",
    "attributes": "different attributes that come with the data (FACAD as published: 990)",
    "unverified_test_captions": "test captions that may belong to other images (catalogue_prepare.facad_test)",
    "purchases_read": "purchases in the file (H&M in full: 31,788,324)",
    "purchases_in_all": "… of articles of catalogue all",
    "purchases_in_original": "… of articles of catalogue original (H&M in full: 31,400,864)",
    "groups": "groups of equal product or description",
    "largest_group": "articles in the largest group",
}


def catalogue_table(counts: Values) -> Table:
    """Return every count of metrics/catalogue.json; names of nested counts are joined."""
    flat = list(_flatten(counts))
    rows = [
        [
            CATALOGUE_ROWS.get(path[0], " · ".join(part.replace("_", " ") for part in path)),
            f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value),
        ]
        for path, value in flat
    ]
    frame = pd.DataFrame([{"what": ".".join(path), "value": value} for path, value in flat])
    title = "The catalogue: filters, splits, leakage"
    return Table("catalogue", title, ["What", "Count"], rows, 1, frame, heading_of={"value": "Count"})


def add_warning(table: Table, counts: Values) -> Table:
    """Add a note to a table where its test captions may belong to other images."""
    unverified = counts.get("unverified_test_captions")
    if not unverified:
        return table
    note = (
        f"Unverified: the {unverified:,} test captions were taken as they stand in FACAD's file, which has more images "
        "than captions and no keys (facad_test: first_99946); some may belong to other images."
    )
    return replace(table, notes=[*table.notes, note])


def _flatten(values: Values, path: tuple[str, ...] = ()) -> Any:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, (*path, str(key)))
        elif not isinstance(value, list):
            yield (*path, str(key)), value
