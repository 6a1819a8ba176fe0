"""catalogue.texts: which words each text variant has, and what is refused."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from catalogue import texts
from catalogue.descriptions import variants
from pipeline.core.errors import UserError

ALL = list(variants.CATALOGUE_OF)


@pytest.fixture
def items(study, small_prepared: Path) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    """Write captions by `scribe` for every item that may need a caption; returns the prepared items."""
    shutil.copytree(small_prepared / "data/prepared", "data/prepared")
    study(writer="scribe", texts=ALL)
    items = pd.read_parquet(texts.ITEMS)
    needed = items.loc[(items["split"] == "test") | items["description"].isna(), "item_id"]
    texts.CAPTIONS.mkdir(parents=True)
    for variant in ("pt", "ft"):
        captions = pd.DataFrame(
            {"item_id": needed, "caption": f"{variant} of " + needed, "tokens": 3, "finished": True}
        )
        captions.sample(frac=1, random_state=1).to_parquet(texts.CAPTIONS / f"scribe-{variant}.parquet")
    return items


def read_text(text: str) -> pd.DataFrame:
    return pd.read_parquet(texts.TEXTS / f"{text}.parquet")


def test_the_rows_are_the_texts_catalogue(items: pd.DataFrame) -> None:
    texts.main()
    originals = items.loc[items["original"], "item_id"].tolist()
    for text in ALL:
        table = read_text(text)
        assert list(table.columns) == ["item_id", "text", "source", "masked"]
        assert table["item_id"].tolist() == (
            items["item_id"].tolist() if variants.CATALOGUE_OF[text] == "all" else originals
        )


def test_descriptions_of_ones_own_stay(items: pd.DataFrame) -> None:
    texts.main()
    own = items.set_index("item_id")["description"]
    for text in ALL:
        table = read_text(text)
        unchanged = table[table["source"].isin(["own", "reference"])]
        assert unchanged["text"].tolist() == own[unchanged["item_id"]].tolist()
        assert len(unchanged)


def test_missing_descriptions_are_written_by_the_captioner_or_left_empty(items: pd.DataFrame) -> None:
    texts.main()
    missing = items.loc[items["description"].isna(), "item_id"]
    unfilled = read_text("unfilled").set_index("item_id")
    assert set(unfilled.loc[missing, "text"]) == {""}
    for variant in ("ft", "pt"):
        augmented = read_text(variants.name_filled_text(variant)).set_index("item_id")
        assert augmented.loc[missing, "text"].tolist() == (f"{variant} of " + missing).tolist()
        assert set(augmented.loc[missing, "source"]) == {variant}
        assert (augmented.drop(missing) == unfilled.drop(missing)).all(axis=None)
        assert not augmented["masked"].any()


@pytest.mark.parametrize("source", ["reference", "ft", "pt", "none"])
def test_masked_texts_differ_on_test_items_alone(items: pd.DataFrame, source: str) -> None:
    texts.main()
    table, original = read_text(f"masked-{source}"), read_text("original")
    test = set(items.loc[items["split"] == "test", "item_id"])
    assert set(table.loc[table["masked"], "item_id"]) == test
    assert set(table.loc[table["masked"], "source"]) == {source}
    assert (table[~table["masked"]] == original[~table["masked"]]).all(axis=None)
    expected = {"ft": lambda item: f"ft of {item}", "pt": lambda item: f"pt of {item}", "none": lambda item: ""}
    own = original.set_index("item_id")["text"]
    for item, text in table.loc[table["masked"], ["item_id", "text"]].itertuples(index=False):
        assert text == expected.get(source, own.__getitem__)(item)


def test_a_missing_caption_is_named(items: pd.DataFrame) -> None:
    path = texts.CAPTIONS / "scribe-ft.parquet"
    captions = pd.read_parquet(path)
    victim = items.loc[items["split"] == "test", "item_id"].iloc[0]
    captions[captions["item_id"] != victim].to_parquet(path)
    with pytest.raises(
        UserError, match=rf"text masked-ft: 1 of \d+ items that need a caption have none, first {victim}"
    ):
        texts.main()
    assert not texts.TEXTS.exists()


def test_an_unknown_writer_is_named(items: pd.DataFrame, study) -> None:  # type: ignore[no-untyped-def]
    study(writer="nobody")
    with pytest.raises(UserError, match=r"data/captions/nobody-ft\.parquet: no such file"):
        texts.main()


def test_texts_without_captions_need_no_captioner(items: pd.DataFrame, study) -> None:  # type: ignore[no-untyped-def]
    study(writer="nobody", texts=["original", "unfilled", "masked-none", "masked-reference"])
    texts.main()
    assert sorted(path.stem for path in texts.TEXTS.iterdir()) == [
        "masked-none",
        "masked-reference",
        "original",
        "unfilled",
    ]


def test_an_unknown_text_lists_what_is_allowed(items: pd.DataFrame, study) -> None:  # type: ignore[no-untyped-def]
    study(texts=["masked-fft"])
    with pytest.raises(UserError, match=r"texts\.0: 'masked-fft' is not allowed.*did you mean masked-"):
        texts.main()
