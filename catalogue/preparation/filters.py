"""Filters of the study: which articles form the original catalogue, and how many each filter leaves."""

from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pandas as pd

from catalogue.readers import Raw
from catalogue.readers.settings import CataloguePrepare
from pipeline.core.errors import UserError


def filter_articles(raw: Raw, params: CataloguePrepare) -> tuple[pd.DataFrame, dict[str, int]]:
    """Select the articles with an image, and mark those that pass all filters as `original`.

    The filters, in this order: a description, an image, a product type with `min_items_per_type` articles among those
    that passed so far, and a product type that is fashion.

    Returns:
        The articles with an image, sorted by item_id; and how many articles each filter left.

    Raises:
        UserError: no article passes.
    """
    articles = raw.articles.sort_values("item_id", ignore_index=True)
    if params.lower_case:
        articles["description"] = articles["description"].str.lower()
    category = articles["category"]
    counts = {"articles": len(articles)}
    passes = articles["description"].notna()
    counts["with_description"] = int(passes.sum())
    has_image = articles["item_id"].isin(raw.image_names)
    passes &= has_image
    counts["with_image"] = int(passes.sum())
    passes &= category.map(category[passes].value_counts()).fillna(0) >= params.min_items_per_type
    counts |= {"frequent_type": int(passes.sum()), "frequent_types": category[passes].nunique()}
    passes &= category.map({name: raw.is_fashion(name) for name in category.unique()}).astype(bool)
    counts |= {"fashion": int(passes.sum()), "fashion_types": category[passes].nunique()}
    items = articles.assign(original=passes)[has_image].reset_index(drop=True)
    if not passes.any():
        raise UserError(
            f"{raw.folder}: no article passes the filters ({counts}); lower catalogue_prepare.min_items_per_type in "
            "params.yaml, or add descriptions and images"
        )
    counts |= {"catalogue_original": int(passes.sum()), "catalogue_all": len(items)}
    counts["without_description"] = int(items["description"].isna().sum())
    if "attributes" in items:
        counts["attributes"] = items.loc[items["original"], "attributes"].explode().nunique()
    if raw.unverified:
        counts["unverified_test_captions"] = raw.unverified
    return items, counts


def check_counts(folder: Path, counts: dict[str, Any], expected: dict[str, int]) -> None:
    """Refuse data that is known in full if its counts differ from the known ones.

    Args:
        folder: Where the raw data lies, for messages.
        counts: What was counted, possibly nested.
        expected: What must have been counted; `a.b` stands for `counts["a"]["b"]`.

    Raises:
        UserError: a count differs.
    """
    actual = {name: reduce(getitem, name.split("."), counts) for name in expected}
    wrong = [
        f"{name}: {actual[name]:,} instead of {number:,}" for name, number in expected.items() if actual[name] != number
    ]
    if wrong:
        raise UserError(
            f"{folder}: this is the full data set, but the filters leave {'; '.join(wrong)}; is a file incomplete? "
            "Fetch it again"
        )
