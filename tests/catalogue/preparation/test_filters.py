"""Filters count what the filters before them left."""

from pathlib import Path

import pandas as pd

from catalogue import prepare
from catalogue.preparation.filters import filter_articles
from catalogue.readers import hm
from pipeline.core.params import read


def test_rare_types_are_counted_after_the_filters_before(shop: Path, study) -> None:  # type: ignore[no-untyped-def]
    """A type with seven articles of which one has no description is rare."""
    study(catalogue_prepare={"min_items_per_type": 7})
    table = pd.read_csv(shop / "articles.csv", dtype=str, keep_default_na=False)
    is_dress = table["product_type_name"] == "Dress"
    dresses = table.index[is_dress & (table["detail_desc"] != "")][:7]
    table.drop(index=table.index[is_dress].difference(dresses)).to_csv(shop / "articles.csv", index=False)
    raw = hm.open_raw(shop)
    params = read(prepare.Params).catalogue_prepare.model_copy(update={"min_items_per_type": 7})
    complete, _ = filter_articles(raw, params)
    raw.articles.loc[raw.articles["category"].eq("Dress").idxmax(), "description"] = None
    rare, _ = filter_articles(raw, params)
    assert complete.loc[complete["category"] == "Dress", "original"].sum() in (6, 7)  # an image may be missing
    assert not rare.loc[rare["category"] == "Dress", "original"].any()
