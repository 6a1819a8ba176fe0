"""Pages of garments, against a slow reading of the same files with pandas."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from lookbook.views.items import (
    PAGE_ITEMS,
    count_facets,
    count_pages,
    find_neighbours,
    read_catalogue,
    select,
    take_page,
)
from lookbook.views.selections import Selection, read_selection
from lookbook.views.study import Study, open_study

CAPTIONER = "tiny-llava"


def read(study: Study, path: str) -> pd.DataFrame:
    return pd.read_parquet(study.root / path)


def expect_differences(study: Study, metric: str) -> pd.Series:
    scores = read(study, "data/scores/captions.parquet")
    scores = scores[(scores["captioner"] == CAPTIONER) & (scores["metric"] == metric)]
    wide = scores.pivot(index="item_id", columns="variant", values="value")
    return wide["ft"] - wide["pt"]


def test_garments_are_sorted_by_the_difference_of_a_score(viewed: Study) -> None:
    rows = select(viewed, Selection(captioner=CAPTIONER, sort="difference", metric="cider"))
    expected = expect_differences(viewed, "cider").sort_values(ascending=False)
    assert rows["item_id"].to_list()[: len(expected)] == expected.index.tolist()
    assert len(rows) == 60  # garments without a score come last, none is lost


@pytest.mark.parametrize("words", ["HOOD", "picture of a Dress", "Red dress", "Été", "no such words", "*"])
def test_words_are_found_in_descriptions_and_in_captions_of_the_set(viewed: Study, tmp_path: Path, words: str) -> None:
    """In whatever case, also of letters that ASCII lacks; a garment of both is there once."""
    shutil.copytree(viewed.root, tmp_path / "study")
    path = tmp_path / f"study/data/captions/{CAPTIONER}-ft.parquet"
    said = pd.read_parquet(path)[::-1]  # in another order than the catalogue
    said.iloc[0, said.columns.get_loc("caption")] = "robe d'été"
    said.iloc[1, said.columns.get_loc("caption")] = None
    said.to_parquet(path, index=False)
    items = read(viewed, "data/prepared/items.parquet").merge(said, on="item_id", how="left")
    has = [
        items[name].str.lower().str.contains(words.lower(), regex=False, na=False)
        for name in ("description", "caption")
    ]
    expected = items.loc[has[0] | has[1], "item_id"].tolist()
    study = open_study(tmp_path / "study")
    found = select(study, Selection(text=words, captioner=CAPTIONER, sort="score", metric="cider"))
    assert sorted(found["item_id"]) == expected
    assert select(study, Selection(text=words, captioner=CAPTIONER))["item_id"].to_list() == expected


def test_surprise_is_the_size_of_the_difference_over_its_spread(viewed: Study) -> None:
    rows = select(viewed, Selection(captioner=CAPTIONER, sort="surprise", metric="cider"))
    differences = expect_differences(viewed, "cider")
    expected = (differences.abs() / differences.std()).sort_values(ascending=False)
    assert rows["item_id"].to_list()[:5] == expected.index.tolist()[:5]
    assert rows["value"][0] == pytest.approx(expected.iloc[0])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"category": "dress"}, lambda items: items["category"] == "dress"),
        ({"colour": "red", "split": "train"}, lambda items: (items["colour"] == "red") & (items["split"] == "train")),
        ({"described": "no"}, lambda items: items["description"].isna()),
        ({"text": "BLUE dress"}, lambda items: items["description"].str.contains("blue dress", na=False)),
    ],
)
def test_filters_keep_what_pandas_keeps(viewed: Study, changes: dict, expected: object) -> None:
    items = read(viewed, "data/prepared/items.parquet")
    assert select(viewed, Selection(**changes))["item_id"].to_list() == items[expected(items)]["item_id"].tolist()  # type: ignore[operator]


def test_words_of_a_caption_are_searched_too(viewed: Study) -> None:
    rows = select(viewed, Selection(text="hood", captioner=CAPTIONER))
    assert set(rows["item_id"]) == set(read(viewed, f"data/captions/{CAPTIONER}-ft.parquet")["item_id"])


def test_filters_by_the_words_of_captions(viewed: Study) -> None:
    described = set(read(viewed, "data/prepared/items.parquet").dropna(subset="description")["item_id"])
    captioned = set(read(viewed, f"data/captions/{CAPTIONER}-ft.parquet")["item_id"])
    invented = select(viewed, Selection(captioner=CAPTIONER, invented="hood"))
    assert set(invented["item_id"]) == described & captioned
    assert select(viewed, Selection(captioner=CAPTIONER, missed="hood")).is_empty()
    unfinished = select(viewed, Selection(captioner=CAPTIONER, unfinished=True))
    assert len(unfinished) == 1
    wrong = select(viewed, Selection(captioner=CAPTIONER, wrong_category=True))
    assert "dress" not in [str(value) for value in wrong["category"]]


def test_facets_count_what_choosing_them_would_show(viewed: Study) -> None:
    selection = Selection(category="dress", colour="red")
    for facet, counts in count_facets(viewed, selection).items():
        for value, count in counts.items():
            assert len(select(viewed, Selection(**{**selection.__dict__, facet: value}))) == count


def test_pages_hold_every_garment_once(viewed: Study) -> None:
    rows = select(viewed, Selection())
    pages = [take_page(rows, page)["item_id"].to_list() for page in range(1, count_pages(len(rows)) + 1)]
    assert [item for page in pages for item in page] == rows["item_id"].to_list()
    assert max(map(len, pages)) == PAGE_ITEMS
    assert take_page(rows, 99)["item_id"].to_list() == pages[-1]


def test_neighbours_are_those_of_the_selection(viewed: Study) -> None:
    rows = select(viewed, Selection(captioner=CAPTIONER, sort="difference", metric="cider"))
    items = rows["item_id"].to_list()
    assert find_neighbours(rows, items[3]) == (items[2], items[4])
    assert find_neighbours(rows, items[0])[0] is None
    assert find_neighbours(rows, "no such garment") == (None, None)


def test_wrong_choices_in_an_address_are_as_on_the_first_visit(viewed: Study) -> None:
    wrong = {"set": "nobody ft", "sort": "by magic", "metric": "bleu_correct_1", "category": "any"}
    selection = read_selection(viewed, wrong)
    assert (selection.captioner, selection.sort, selection.metric, selection.category) == ("", "number", "cider", "")
    assert len(select(viewed, selection)) == len(read_catalogue(viewed))
