"""A synthetic articles.csv with the marginal counts of H&M's own gives the published filter counts and split sizes."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from catalogue import prepare
from catalogue.preparation.filters import check_counts, filter_articles
from catalogue.preparation.splits import split_at_random, split_items
from catalogue.readers import Raw, hm
from pipeline.core.errors import UserError
from pipeline.core.params import read

pytestmark = pytest.mark.slow

ARTICLES = 105_542
WITHOUT_DESCRIPTION = 416
WITHOUT_IMAGE = 430
TYPES = 131
FREQUENT_TYPES = 100
FASHION_TYPES = 89
ORIGINAL = 104_232  # articles that pass every filter
RARE_ARTICLES = 6  # of each rare type: the study keeps types with seven or more


def product_types() -> list[str]:
    """Name 89 frequent types of fashion, 11 frequent other types, and 31 rare types; a type is fashion by its name."""
    words = [word for word in (hm.HERE / "hm_fashion_keywords.txt").read_text().split("\n") if word.strip()]
    fashion = [f"{word.capitalize()} {number}" for number in range(10) for word in words][: FASHION_TYPES + 16]
    other = [f"Zzz {number}" for number in range(TYPES - len(fashion))]
    return fashion[:FASHION_TYPES] + other[:11] + fashion[FASHION_TYPES:] + other[11:]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Raw:
    """Write raw data in Kaggle's layout; the images are empty, because nothing here opens them."""
    folder = tmp_path_factory.mktemp("hm")
    types = product_types()
    rare = np.repeat(np.arange(FREQUENT_TYPES, TYPES), RARE_ARTICLES)
    complete = ARTICLES - WITHOUT_DESCRIPTION - WITHOUT_IMAGE
    other = np.resize(np.arange(FASHION_TYPES, FREQUENT_TYPES), complete - ORIGINAL - len(rare))
    fashion = np.resize(np.arange(FASHION_TYPES), ORIGINAL)
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
    with_image = [
        item for row, item in enumerate(ids) if not WITHOUT_DESCRIPTION <= row < WITHOUT_DESCRIPTION + WITHOUT_IMAGE
    ]
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for item in with_image:
            archive.writestr(f"images/{item[:3]}/{item}.jpg", b"")
    return hm.open_raw(folder)


def test_the_filters_leave_the_published_counts(raw: Raw, study) -> None:  # type: ignore[no-untyped-def]
    study(catalogue_prepare={"min_items_per_type": prepare.STUDY_MIN_ITEMS_PER_TYPE})
    params = read(prepare.Params).catalogue_prepare
    items, counts = filter_articles(raw, params)
    _, splits = split_items(items, params, raw.folder)
    assert raw.articles["category"].nunique() == TYPES
    assert counts["articles"] == ARTICLES
    assert counts["with_description"] == 105_126
    assert counts["with_image"] == 104_696
    assert counts["frequent_types"] == FREQUENT_TYPES
    assert counts["fashion_types"] == FASHION_TYPES
    assert counts["catalogue_original"] == ORIGINAL
    assert raw.full_counts
    check_counts(raw.folder, counts | splits, raw.full_counts)


def test_a_count_that_differs_is_named(raw: Raw) -> None:
    figures = {"articles": ARTICLES, "split_by_policy": {"random": {"test": 3}}}
    expected = {"articles": ARTICLES, "split_by_policy.random.test": 10_424}
    with pytest.raises(UserError, match=r"full data set.* leave split_by_policy\.random\.test: 3 instead of 10,424;"):
        check_counts(raw.folder, figures, expected)


def test_the_random_split_has_the_published_sizes() -> None:
    part = split_at_random(ORIGINAL, 42)
    assert [(part == name).sum() for name in ("train", "validation", "test")] == [83_385, 10_423, 10_424]
