"""What a study's caption scores are made of: the test items, their truth, every captioner's captions, floor and ceiling."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from catalogue.prepared.items import read_items
from pipeline.core.errors import UserError, first_five

ITEMS, TRUTH = Path("data/prepared/items.parquet"), Path("data/prepared/truth.parquet")
IMAGES = Path("data/prepared/images")
CAPTIONS, ATTRIBUTES = Path("data/captions"), Path("data/attributes")
CEILING = "ceiling"
REFERENCE = "reference"  # the true descriptions


class Study(NamedTuple):
    """What is scored.

    Attributes:
        items: the test items that have a description, by item_id: description, category, group, attributes.
        truth: the true attributes of these items, in their order; no rows where the truth is unknown.
        captions: a row per caption: captioner, variant, item_id, caption, finished (0 or 1, NaN in the ceiling).
        skipped: what could not be made, and why.
    """

    items: pd.DataFrame
    truth: pd.DataFrame
    captions: pd.DataFrame
    skipped: list[str]

    def without(self, left_out: Sequence[str]) -> "Study":
        """The study without these items; `skipped` says so."""
        if not left_out:
            return self
        reason = f"items: {len(left_out)} test items whose description has no word are left out, first {left_out[0]}"
        captions = self.captions[~self.captions["item_id"].isin(left_out)].reset_index(drop=True)
        items, truth = (table.drop(index=list(left_out), errors="ignore") for table in (self.items, self.truth))
        return Study(items, truth, captions, [*self.skipped, reason])


def by_set(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """captioner, variant and the rows of each set of captions, in the order of the table."""
    sets = table[["captioner", "variant"]].drop_duplicates().astype(str).to_numpy().tolist()
    return [
        (name, variant, table[table["captioner"].eq(name) & table["variant"].eq(variant)]) for name, variant in sets
    ]


def load(captioners: Sequence[str]) -> Study:
    """Reads items, truth and the captions of these captioners, and makes floor and ceiling.

    Raises:
        UserError: a file is missing, or does not fit the others.
    """
    items = _items()
    truth = pd.read_parquet(TRUTH).set_index("item_id")
    truth = truth.reindex(items.index) if len(truth) else truth
    parts, skipped = _captions(captioners, items)
    if "second_description" in truth and truth["second_description"].notna().any():
        second = truth["second_description"].dropna().str.lower()
        parts.append(pd.DataFrame({"caption": second, "variant": CEILING, "captioner": CEILING}))
    else:
        skipped.append("ceiling: there is no second description, the truth is known in the sample only")
    if truth.empty:
        skipped.append("core_precision: the truth is known in the sample only")
    if not parts:
        raise UserError("params.yaml: captioners: none, and there are no second descriptions; nothing to score")
    return Study(items, truth, pd.concat(parts).rename_axis("item_id").reset_index(), skipped)


def _items() -> pd.DataFrame:
    items = read_items(ITEMS, ["item_id", "description", "category", "group", "split"])
    items = items[items["split"].eq("test") & items["description"].notna()].set_index("item_id")
    if items.empty:
        raise UserError(f"{ITEMS}: no test item with a description; nothing to score")
    attributes = pd.read_parquet(ATTRIBUTES / "items.parquet").set_index("item_id")["attributes"]
    items["attributes"] = attributes.reindex(items.index)
    if items["attributes"].isna().any():
        raise UserError(f"{ATTRIBUTES}: test items of {ITEMS} are missing; run `dvc repro caption_attributes`")
    return items


def _captions(captioners: Sequence[str], items: pd.DataFrame) -> tuple[list[pd.DataFrame], list[str]]:
    """pt, ft and floor of every captioner, and what was skipped."""
    groups = {str(item): int(group) for item, group in items["group"].items()}
    donors = wrong_items(groups)
    parts = []
    for captioner in captioners:
        for variant in ("pt", "ft"):
            captions = read_captions(CAPTIONS / f"{captioner}-{variant}.parquet", list(groups))
            parts.append(captions.assign(variant=variant, captioner=captioner))
        if donors:
            floor = captions.loc[[donors[item] for item in groups]].set_axis(items.index)  # of the FT captions
            parts.append(floor.assign(variant="floor", captioner=captioner))
    if donors or not captioners:
        return parts, []
    return parts, ["floor: one product makes up more than half of the test items, so captions cannot be exchanged"]


def read_captions(path: Path, items: list[str]) -> pd.DataFrame:
    """caption and finished (0 or 1) of these items, by item_id, in their order.

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


SEED = 0  # fixed: the floor moves with the captions only


def wrong_items(groups: Mapping[str, int]) -> dict[str, str]:
    """For every item another one, of another group; each is taken once. Empty where no such exchange exists.

    The groups are put in a random order, fixed by SEED; then every item gets the one that stands as many places on as the
    largest group has items, which is outside its own group on either side.

    Args:
        groups: item -> group.
    """
    labels, sizes = np.unique(np.array(list(groups.values()), dtype=np.int64), return_counts=True)
    if not len(labels) or 2 * sizes.max() > len(groups):
        return {}
    place = dict(zip(labels.tolist(), np.random.default_rng(SEED).permutation(len(labels)).tolist(), strict=True))
    ordered = sorted(groups, key=lambda item: (place[groups[item]], item))
    step = int(sizes.max())
    return dict(zip(ordered, ordered[step:] + ordered[:step], strict=True))
