"""A synthetic articles.csv with the marginal counts of H&M's own gives the published filter counts and split sizes."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from catalogue import prepare
from catalogue.preparation.splits import random_split
from catalogue.readers import Raw, hm
from pipeline.core.errors import UserError
from pipeline.core.params import read

ARTICLES, WITHOUT_DESCRIPTION, WITHOUT_IMAGE = 105_542, 416, 430
TYPES, FREQUENT_TYPES, FASHION_TYPES, KEPT = 131, 100, 89, 104_232
RARE_ARTICLES = 6  # of each rare type: one fewer than the study keeps


def product_types() -> list[str]:
    """89 frequent ones of fashion, 11 frequent ones that are not, 31 rare ones; a type is fashion by its name."""
    words = [word for word in (hm.HERE / "hm_fashion_keywords.txt").read_text().split("\n") if word.strip()]
    fashion = [f"{word.capitalize()} {number}" for number in range(10) for word in words][: FASHION_TYPES + 16]
    other = [f"Zzz {number}" for number in range(TYPES - len(fashion))]
    return fashion[:FASHION_TYPES] + other[:11] + fashion[FASHION_TYPES:] + other[11:]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Raw:
    """Raw data in Kaggle's layout; the images are empty, as nothing here looks into them."""
    folder = tmp_path_factory.mktemp("hm")
    types = product_types()
    rare = np.repeat(np.arange(FREQUENT_TYPES, TYPES), RARE_ARTICLES)
    complete = ARTICLES - WITHOUT_DESCRIPTION - WITHOUT_IMAGE
    other = np.resize(np.arange(FASHION_TYPES, FREQUENT_TYPES), complete - KEPT - len(rare))
    fashion = np.resize(np.arange(FASHION_TYPES), KEPT)
    incomplete = np.resize(np.arange(TYPES), WITHOUT_DESCRIPTION + WITHOUT_IMAGE)
    kinds = np.concatenate([incomplete, rare, other, fashion])
    ids = [f"{108_775_015 + 7 * number:010d}" for number in range(ARTICLES)]
    columns = {
        "article_id": ids,
        "product_code": [item[:7] for item in ids],
        "product_type_name": np.array(types)[kinds],
        "colour_group_name": "Black",
        "detail_desc": ["" if row < WITHOUT_DESCRIPTION else f"Garment {row // 3}" for row in range(ARTICLES)],
    }
    order = np.random.default_rng(0).permutation(ARTICLES)
    pd.DataFrame(columns).iloc[order].to_csv(folder / "articles.csv", index=False)
    (folder / "transactions_train.csv").write_text("t_dat,customer_id,article_id,price,sales_channel_id\n")
    pictured = [
        item for row, item in enumerate(ids) if not WITHOUT_DESCRIPTION <= row < WITHOUT_DESCRIPTION + WITHOUT_IMAGE
    ]
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for item in pictured:
            archive.writestr(f"images/{item[:3]}/{item}.jpg", b"")
    return hm.open_raw(folder)


def test_the_filters_leave_the_published_counts(raw: Raw, study) -> None:  # type: ignore[no-untyped-def]
    study(catalogue_prepare={"min_items_per_type": prepare.STUDY_MIN_ITEMS_PER_TYPE})
    params = read(prepare.Params).catalogue_prepare
    items, counts = prepare.filtered(raw, params)
    _, splits = prepare.split_items(items, params, raw.folder)
    assert raw.articles["category"].nunique() == TYPES
    assert counts["articles"] == ARTICLES
    assert counts["with_description"] == 105_126
    assert counts["with_image"] == 104_696
    assert counts["frequent_types"] == FREQUENT_TYPES
    assert counts["fashion_types"] == FASHION_TYPES
    assert counts["catalogue_original"] == KEPT
    assert raw.full_counts
    prepare.check_full(raw.folder, counts | splits, raw.full_counts)


def test_a_count_that_differs_is_named(raw: Raw) -> None:
    figures = {"articles": ARTICLES, "split_by_policy": {"random": {"test": 3}}}
    expected = {"articles": ARTICLES, "split_by_policy.random.test": 10_424}
    with pytest.raises(UserError, match=r"full data set.* leave split_by_policy\.random\.test: 3 instead of 10,424;"):
        prepare.check_full(raw.folder, figures, expected)


def test_the_random_split_has_the_published_sizes() -> None:
    side = random_split(KEPT, 42)
    assert [(side == name).sum() for name in ("train", "validation", "test")] == [83_385, 10_423, 10_424]
