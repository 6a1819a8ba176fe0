"""Train, validation and test: by groups that share nothing, or the study's random split, and what leaks between the sides."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import train_test_split

TRAIN, VALIDATION, TEST = "train", "validation", "test"
VALIDATION_SHARE = TEST_SHARE = 0.1


def groups(product_codes: pd.Series, descriptions: pd.Series) -> np.ndarray:
    """Connected components of equal product code or identical description: int64, (n_items,), numbered as they first come.

    A missing description connects nothing.
    """
    n_items = len(product_codes)
    code, codes = pd.factorize(product_codes)
    text, texts = pd.factorize(descriptions)  # −1 where missing
    item = np.arange(n_items)
    described = text >= 0
    # A graph of items, codes and texts: an edge from each item to its code and to its text.
    start = np.concatenate([item, item[described]])
    end = np.concatenate([n_items + code, n_items + len(codes) + text[described]])
    n_nodes = n_items + len(codes) + len(texts)
    _, component = connected_components(
        coo_array((np.ones(len(start), bool), (start, end)), shape=(n_nodes, n_nodes)), directed=False
    )
    return pd.factorize(component[:n_items])[0].astype(np.int64)


def grouped_split(group: np.ndarray, seed: int) -> np.ndarray:
    """80/10/10 by whole groups: side of each item, (n_items,).

    Groups come in random order; each goes to test while it fits into a tenth of the items, then to validation
    likewise, else to train. So test and validation are never larger than a tenth, and a huge group is trained on.
    """
    names, member, size = np.unique(group, return_inverse=True, return_counts=True)
    side = np.full(len(names), TRAIN, dtype=object)
    room = {TEST: round(TEST_SHARE * len(group)), VALIDATION: round(VALIDATION_SHARE * len(group))}
    for place in np.random.default_rng(seed).permutation(len(names)):
        for name in room:
            if size[place] <= room[name]:
                side[place] = name
                room[name] -= size[place]
                break
    return side[member]


def random_split(n_items: int, seed: int) -> np.ndarray:
    """80/10/10 at random as in the study (whose seed is 42): pandas' shuffle, then scikit-learn's split twice. (n_items,)"""
    shuffled = pd.Series(range(n_items)).sample(frac=1, random_state=seed)
    _, rest = train_test_split(shuffled, test_size=0.2, random_state=seed)
    validation, test = train_test_split(rest, test_size=0.5, random_state=seed)
    side = np.full(n_items, TRAIN, dtype=object)
    side[validation.to_numpy()], side[test.to_numpy()] = VALIDATION, TEST
    return side


def leakage(items: pd.DataFrame, side: np.ndarray) -> dict[str, int]:
    """How many test items share their product code, and how many their description, with an item of train.

    Args:
        items: product_code and description of the items that are split.
        side: of each item, (n_items,).
    """
    train, test = items[side == TRAIN], items[side == TEST]
    return {
        "leaked_product_code": int(test["product_code"].isin(train["product_code"]).sum()),
        "leaked_description": int((test["description"].isin(train["description"]) & test["description"].notna()).sum()),
    }
