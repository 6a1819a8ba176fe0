"""Train, validation and test: by groups that share nothing, drawn or by first sale, or at random as the study does."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import train_test_split

from catalogue.readers.settings import CataloguePrepare
from pipeline.core.errors import UserError

TRAIN = "train"
VALIDATION = "validation"
TEST = "test"
VALIDATION_SHARE = 0.1
TEST_SHARE = 0.1
MIN_ITEMS = 10  # at which each part gets an item
LAUNCH = "launch"


def split_items(items: pd.DataFrame, params: CataloguePrepare, folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Add `group` to every item, and `split` to the items of the original catalogue.

    Args:
        items: product_code, description and `original` of every item; `split` where the data comes with a split, and
            `first_sale` of the item's product (a day, NaN for none) where the split is by launch.
        params: The policy and the seed.
        folder: Where the raw data lies, for messages.

    Returns:
        The items; and sizes and leakage of the chosen split and of every other policy.

    Raises:
        UserError: there are fewer than ten items, the data comes without the split that is asked for, or its purchases
            do not date the products.
    """
    group = find_groups(items["product_code"], items["description"])
    original = items["original"].to_numpy()
    if original.sum() < MIN_ITEMS:
        raise UserError(
            f"{folder}: only {original.sum()} articles pass the filters; at least {MIN_ITEMS} are needed for train, "
            "validation and test: add articles, or lower catalogue_prepare.min_items_per_type"
        )
    parts = {
        "grouped": split_by_group(group[original], params.seed),
        "random": split_at_random(int(original.sum()), params.seed),
    }
    if "split" in items:
        parts["published"] = items.loc[original, "split"].to_numpy(dtype=object)
    launches = {}
    if params.split == LAUNCH:
        day = items["first_sale"].groupby(group).transform("min").to_numpy(float)[original]
        parts[LAUNCH] = split_by_launch(group[original], day, params.seed)
        launches = describe_launches(group[original], day, parts[LAUNCH], folder)
    if params.split not in parts:
        raise UserError(
            f"catalogue_prepare.split: {params.split}, but the data in {folder} comes without a split; "
            f"allowed: {', '.join(parts)}, and {LAUNCH} where there are purchases"
        )
    empty = [name for name in (TRAIN, VALIDATION, TEST) if name not in parts[params.split]]
    if empty and params.split == "grouped":
        raise UserError(
            f"{folder}: no item is left for {' and '.join(empty)}: the {original.sum()} items are of "
            f"{len(np.unique(group[original]))} products or share descriptions, and each stays on one side; is "
            "catalogue_prepare.columns.product a kind of products, such as Women? Name another, or '' for none"
        )
    split = np.full(len(items), None, dtype=object)
    split[original] = parts[params.split]
    by_policy = {policy: _count_parts(part) | count_leaks(items[original], part) for policy, part in parts.items()}
    sizes = np.bincount(group)
    figures = {
        "groups": len(sizes),
        "largest_group": int(sizes.max()),
        "split": by_policy[params.split],
        "split_by_policy": by_policy,
    }
    figures |= {"launches": launches} if launches else {}
    return items.assign(group=group, split=split), figures


def _count_parts(part: np.ndarray) -> dict[str, int]:
    return {name: int((part == name).sum()) for name in (TRAIN, VALIDATION, TEST)}


def find_groups(product_codes: pd.Series, descriptions: pd.Series) -> np.ndarray:
    """Number the connected components of equal product code or identical description, in order of first occurrence.

    A missing description connects nothing.

    >>> find_groups(pd.Series(["a", "b", "b", "c"]), pd.Series(["red", None, "red", None])).tolist()
    [0, 0, 0, 1]

    Returns:
        int64, (n_items,).
    """
    n_items = len(product_codes)
    code, codes = pd.factorize(product_codes)
    text, texts = pd.factorize(descriptions)  # −1 where missing
    item = np.arange(n_items)
    has_text = text >= 0
    # A graph of items, codes and texts: an edge from each item to its code and to its text.
    start = np.concatenate([item, item[has_text]])
    end = np.concatenate([n_items + code, n_items + len(codes) + text[has_text]])
    n_nodes = n_items + len(codes) + len(texts)
    _, component = connected_components(
        coo_array((np.ones(len(start), bool), (start, end)), shape=(n_nodes, n_nodes)), directed=False
    )
    return pd.factorize(component[:n_items])[0].astype(np.int64)


def split_by_group(group: np.ndarray, seed: int) -> np.ndarray:
    """Split 80/10/10 by whole groups.

    Groups come in random order; each goes to test if it fits into what is left of a tenth of the items, else to
    validation if it fits there, else to train. So test and validation are never larger than a tenth, and a huge group
    is trained on.

    >>> split_by_group(np.array([0, 0, 0, 0, 0, 1, 1, 2, 3, 4]), 42).tolist()
    ['train', 'train', 'train', 'train', 'train', 'train', 'train', 'validation', 'train', 'test']

    Args:
        group: The group of each item, (n_items,).
        seed: Of the order of the groups.

    Returns:
        train, validation or test for each item, (n_items,).
    """
    names, member, size = np.unique(group, return_inverse=True, return_counts=True)
    part = np.full(len(names), TRAIN, dtype=object)
    capacity = {TEST: round(TEST_SHARE * len(group)), VALIDATION: round(VALIDATION_SHARE * len(group))}
    for index in np.random.default_rng(seed).permutation(len(names)):
        for name in capacity:
            if size[index] <= capacity[name]:
                part[index] = name
                capacity[name] -= size[index]
                break
    return part[member]


def split_by_launch(group: np.ndarray, day: np.ndarray, seed: int) -> np.ndarray:
    """Split 80/10/10 by whole groups in the order of their first sale: the latest are test, those before validation.

    A group that was never sold, and one larger than a tenth of the items, is trained on. Of the others, test takes the
    latest as long as they fit into a tenth of the items, validation then does the same, and the rest is train.

    >>> split_by_launch(np.array([0, 0, *range(1, 9)]), np.array([9, 9, 1, 1, np.nan, 5, 4, 2, 0, 0]), 42).tolist()
    ['train', 'train', 'train', 'train', 'train', 'test', 'validation', 'train', 'train', 'train']

    Args:
        group: The group of each item, (n_items,).
        day: The first sale of each item's group, the same for all its items; NaN where there was none, (n_items,).
        seed: Of the order of groups with the same day.

    Returns:
        train, validation or test for each item, (n_items,).
    """
    names, first, member, size = np.unique(group, return_index=True, return_inverse=True, return_counts=True)
    shares = {TEST: round(TEST_SHARE * len(group)), VALIDATION: round(VALIDATION_SHARE * len(group))}
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[~np.isnan(day[first[order]]) & (size[order] <= min(shares.values()))]
    order = order[np.argsort(-day[first[order]], kind="stable")]
    part = np.full(len(names), TRAIN, dtype=object)
    for name, share in shares.items():
        taken = int(np.searchsorted(np.cumsum(size[order]), share, side="right"))
        part[order[:taken]] = name
        order = order[taken:]
    return part[member]


def describe_launches(group: np.ndarray, day: np.ndarray, part: np.ndarray, folder: Path) -> dict[str, Any]:
    """Count what was never sold, and name the day from which products are validation and test.

    Args:
        group: The group of each item, (n_items,).
        day: The first sale of each item's group; NaN where there was none, (n_items,).
        part: train, validation or test for each item, (n_items,).
        folder: Where the raw data lies, for messages.

    Raises:
        UserError: the purchases date no product, or too few to tell later ones from older ones.
    """
    days = {name: day[(part == name) & ~np.isnan(day)] for name in (TRAIN, VALIDATION, TEST)}
    different = len(np.unique(day[~np.isnan(day)]))
    if different < 2 or any(len(own) == 0 for own in days.values()):
        raise UserError(
            f"catalogue_prepare.split: {LAUNCH} orders products by their first sale, but of the {len(day)} items in "
            f"{folder} the purchases date {(~np.isnan(day)).sum()}, by {different} different days; train, validation "
            "and test need some each: add purchases with their days, or choose grouped or random"
        )
    return {
        "never_sold": int(np.isnan(day).sum()),
        "never_sold_groups": len(np.unique(group[np.isnan(day)])),
        "validation_from": str(np.datetime64(int(days[VALIDATION].min()), "D")),
        "test_from": str(np.datetime64(int(days[TEST].min()), "D")),
    }


def split_at_random(n_items: int, seed: int) -> np.ndarray:
    """Split 80/10/10 as the study does with seed 42: pandas' shuffle, then scikit-learn's split twice.

    Returns:
        train, validation or test for each item, (n_items,).
    """
    shuffled = pd.Series(range(n_items)).sample(frac=1, random_state=seed)
    _, rest = train_test_split(shuffled, test_size=0.2, random_state=seed)
    validation, test = train_test_split(rest, test_size=0.5, random_state=seed)
    part = np.full(n_items, TRAIN, dtype=object)
    part[validation.to_numpy()] = VALIDATION
    part[test.to_numpy()] = TEST
    return part


def count_leaks(items: pd.DataFrame, part: np.ndarray) -> dict[str, int]:
    """Count the test items that share their product code, and those that share their description, with a train item.

    >>> items = pd.DataFrame({"product_code": ["a", "a", "b"], "description": ["red", "blue", "red"]})
    >>> count_leaks(items, np.array(["train", "test", "test"]))
    {'leaked_product_code': 1, 'leaked_description': 1}

    Args:
        items: product_code and description of the items that are split.
        part: train, validation or test for each item, (n_items,).
    """
    train, test = items[part == TRAIN], items[part == TEST]
    return {
        "leaked_product_code": int(test["product_code"].isin(train["product_code"]).sum()),
        "leaked_description": int((test["description"].isin(train["description"]) & test["description"].notna()).sum()),
    }
