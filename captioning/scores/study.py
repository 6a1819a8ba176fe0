"""Reads what caption scores need: test items, their truth, every captioner's captions, floor and ceiling."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from catalogue.prepared.items import read_items
from pipeline.core.errors import UserError, first_five
from pipeline.core.outputs import read_parquet, require

CEILING = "ceiling"
REFERENCE = "reference"  # the true descriptions
SEED = 0  # fixed, so that the floor changes with the captions only


class StudyFiles(NamedTuple):
    """The files that a study's scores are made from.

    Attributes:
        items: the table of items.
        truth: their true attributes.
        captions: the folder of `<captioner>-<variant>.parquet`.
        attributes: the folder of the stage caption_attributes.
    """

    items: Path
    truth: Path
    captions: Path
    attributes: Path


class Study(NamedTuple):
    """What is scored.

    Attributes:
        items: the test items that have a description, by item_id: description, category, group, attributes.
        truth: the true attributes of these items, in their order; no rows where the truth is unknown.
        captions: a row per caption: captioner, variant, item_id, caption, finished (0 or 1, NaN in the ceiling).
        vocabulary: the attributes that count.
        skipped: which sets and scores the study does not have, and why.
    """

    items: pd.DataFrame
    truth: pd.DataFrame
    captions: pd.DataFrame
    vocabulary: list[str]
    skipped: list[str]

    def without(self, left_out: Sequence[str]) -> "Study":
        """Leave these items out, and say so in `skipped`."""
        if not left_out:
            return self
        reason = f"items: {len(left_out)} test items whose description has no word are left out, first {left_out[0]}"
        captions = self.captions[~self.captions["item_id"].isin(left_out)].reset_index(drop=True)
        items, truth = (table.drop(index=list(left_out), errors="ignore") for table in (self.items, self.truth))
        return self._replace(items=items, truth=truth, captions=captions, skipped=[*self.skipped, reason])


def split_by_set(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Split a table by its sets of captions: captioner, variant and rows of each, in the order of the table."""
    sets = table[["captioner", "variant"]].drop_duplicates().astype(str).to_numpy().tolist()
    return [
        (name, variant, table[table["captioner"].eq(name) & table["variant"].eq(variant)]) for name, variant in sets
    ]


def load(captioners: Sequence[str], files: StudyFiles) -> Study:
    """Read items, truth and the captions of these captioners, and make floor and ceiling.

    Raises:
        UserError: a file is missing, or does not fit the others.
    """
    items = _read_test_items(files)
    truth = read_parquet(files.truth).set_index("item_id")
    truth = truth.reindex(items.index) if len(truth) else truth
    parts, skipped = _read_sets(captioners, items, files.captions)
    if "second_description" in truth and truth["second_description"].notna().any():
        second = truth["second_description"].dropna()  # in the case of the references
        parts.append(pd.DataFrame({"caption": second, "variant": CEILING, "captioner": CEILING}))
    else:
        skipped.append("ceiling: there is no second description, the truth is known in the sample only")
    if truth.empty:
        skipped.append("core_precision: the truth is known in the sample only")
    if not parts:
        raise UserError(
            "params.yaml: captioners: none, and no item has a second description: nothing to score; add a captioner"
        )
    captions = pd.concat(parts).rename_axis("item_id").reset_index()
    vocabulary = json.loads(require(files.attributes / "vocabulary.json").read_text(encoding="utf-8"))
    return Study(items, truth, captions, vocabulary, skipped)


def _read_test_items(files: StudyFiles) -> pd.DataFrame:
    items = read_items(files.items, ["item_id", "description", "category", "group", "split"])
    items = items[items["split"].eq("test") & items["description"].notna()].set_index("item_id")
    if items.empty:
        raise UserError(
            f"{files.items}: no test item with a description: nothing to score; see the filters of catalogue_prepare"
        )
    attributes = read_parquet(files.attributes / "items.parquet").set_index("item_id")["attributes"]
    items["attributes"] = attributes.reindex(items.index)
    if items["attributes"].isna().any():
        raise UserError(f"{files.attributes}: lacks test items of {files.items}; run `dvc repro caption_attributes`")
    return items


def _read_sets(captioners: Sequence[str], items: pd.DataFrame, folder: Path) -> tuple[list[pd.DataFrame], list[str]]:
    """Read pt and ft and make the floor of every captioner; return these sets, and what was skipped."""
    groups = {str(item): int(group) for item, group in items["group"].items()}
    donors = choose_wrong_items(groups)
    parts = []
    for captioner in captioners:
        for variant in ("pt", "ft"):
            captions = read_captions(folder / f"{captioner}-{variant}.parquet", list(groups))
            parts.append(captions.assign(variant=variant, captioner=captioner))
        if donors:
            floor = captions.loc[[donors[item] for item in groups]].set_axis(items.index)  # of the FT captions
            parts.append(floor.assign(variant="floor", captioner=captioner))
    if donors or not captioners:
        return parts, []
    return parts, ["floor: one product makes up more than half of the test items, so captions cannot be exchanged"]


def read_captions(path: Path, items: list[str]) -> pd.DataFrame:
    """Read caption and finished (0 or 1) of these items, by item_id, in their order.

    Raises:
        UserError: the file is missing or lacks items, has one twice, or a caption is no text.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; `dvc repro` generates it")
    captions = pd.read_parquet(path, columns=["item_id", "caption", "finished"]).set_index("item_id")
    if captions.index.has_duplicates:
        raise UserError(f"{path}: item {captions.index[captions.index.duplicated()][0]} comes twice")
    missing = [item for item in items if item not in captions.index]
    if missing:
        raise UserError(
            f"{path}: no caption for {len(missing)} of {len(items)} test items, first {first_five(missing)}"
        )
    captions = captions.loc[items]
    if captions["caption"].isna().any():
        raise UserError(f"{path}: the caption of {captions.index[captions['caption'].isna()][0]} is no text")
    return captions.astype({"finished": "float64"})


def choose_wrong_items(groups: Mapping[str, int]) -> dict[str, str]:
    """Choose for every item another item, of another group, each once; empty where no such exchange exists.

    The groups are put in a random order, fixed by SEED. Then every item gets the item that follows it at the distance
    of the size of the largest group, which is outside its own group on either side.

    Args:
        groups: item -> group.

    >>> donors = choose_wrong_items({"a": 1, "b": 1, "c": 2, "d": 3})
    >>> [donors[item] in "cd" for item in "ab"], sorted(donors.values())
    ([True, True], ['a', 'b', 'c', 'd'])
    >>> choose_wrong_items({"a": 1, "b": 1, "c": 2})
    {}
    """
    labels, sizes = np.unique(np.array(list(groups.values()), dtype=np.int64), return_counts=True)
    if not len(labels) or 2 * sizes.max() > len(groups):
        return {}
    rank = dict(zip(labels.tolist(), np.random.default_rng(SEED).permutation(len(labels)).tolist(), strict=True))
    ordered = sorted(groups, key=lambda item: (rank[groups[item]], item))
    step = int(sizes.max())
    return dict(zip(ordered, ordered[step:] + ordered[:step], strict=True))
