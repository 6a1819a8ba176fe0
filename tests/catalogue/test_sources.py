"""catalogue.sources: the words of every arrival from each source, and what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from catalogue import sources
from catalogue.descriptions.sources import CAPTIONS, OWN, WITHOUT_CAPTIONS
from features.files import write_features
from pipeline.core.errors import UserError
from tests.helpers.params_files import read_sample, write_values

NAMES = [*OWN, "replaced-25", "replaced-50", *CAPTIONS]
CAPTIONERS = {"scribe": {"family": "llava"}, "replay": {"family": "file"}}
FILES = sorted([*OWN, "replaced-25", "replaced-50", "scribe-pt", "scribe-ft", "replay-pt", "replay-ft"])


def write_params(**changes: Any) -> None:
    """Write params.yaml for these two captioners; the fixture `study` would add the sample's."""
    params = read_sample()
    params |= {"writer": "scribe", "captioners": CAPTIONERS, "sources": NAMES, **changes}
    params["catalogue_sources"] |= {"nearest": "shades", **changes.get("catalogue_sources", {})}
    write_values(params, "params.yaml")


def write_captions(name: str, item_ids: pd.Series, word: str) -> None:
    table = pd.DataFrame({"item_id": item_ids, "caption": word + " of " + item_ids, "tokens": 3, "finished": True})
    table.sample(frac=1, random_state=1).to_parquet(sources.CAPTIONS / f"{name}.parquet")


@pytest.fixture
def items(study: Callable[..., None], small_prepared: Path) -> pd.DataFrame:
    """Prepare a small shop with captions by two captioners and picture features of every item; returns its items."""
    shutil.copytree(small_prepared / "data/prepared", "data/prepared")
    write_params()
    items = pd.read_parquet(sources.ITEMS)
    sources.CAPTIONS.mkdir(parents=True)
    needed = items.loc[(items["split"] == "test") | items["description"].isna(), "item_id"]
    for captioner in CAPTIONERS:
        for variant in CAPTIONS:
            write_captions(f"{captioner}-{variant}", needed, f"{captioner} {variant}")
    write_pictures(items["item_id"].tolist())
    return items


def write_pictures(item_ids: list[str]) -> None:
    rows = np.random.default_rng(5).normal(size=(len(item_ids), 6))
    write_features(sources.PICTURES / "shades", item_ids[::-1], rows[::-1])


def read_source(source: str) -> pd.Series:
    table = pd.read_parquet(sources.SOURCES / f"{source}.parquet")
    assert list(table.columns) == ["item_id", "text"]
    return table.set_index("item_id")["text"]


def read_bytes() -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted(sources.SOURCES.iterdir())}


def test_every_source_has_every_arrival_sorted_by_id(items: pd.DataFrame) -> None:
    sources.main()
    arrivals = sorted(items.loc[items["original"] & (items["split"] == "test"), "item_id"])
    assert len(arrivals) > 10
    assert sorted(read_bytes()) == FILES
    tuned = sorted(items.loc[items["split"].isin(["test", "validation"]), "item_id"])
    for source in FILES:
        assert read_source(source).index.tolist() == (tuned if source in WITHOUT_CAPTIONS else arrivals)


def test_words_come_from_where_the_source_says(items: pd.DataFrame) -> None:
    sources.main()
    of = items.set_index("item_id")
    truth = pd.read_parquet(sources.TRUTH).set_index("item_id")
    for item, text in read_source("reference").items():
        assert text == of.loc[item, "description"]
        assert read_source("second")[item] == truth.loc[item, "second_description"]
        assert read_source("none")[item] == ""
        assert read_source("table")[item] == f"{of.loc[item, 'category']}, {of.loc[item, 'colour']}."
        assert read_source("scribe-pt")[item] == f"scribe pt of {item}"
        assert read_source("replay-ft")[item] == f"replay ft of {item}"


def test_shuffled_uses_every_caption_once_and_keeps_none_within_its_product(items: pd.DataFrame) -> None:
    sources.main()
    shuffled, captions = read_source("shuffled"), read_source("scribe-ft")
    assert sorted(shuffled) == sorted(captions)
    giver = dict(zip(captions, captions.index, strict=True))
    product = items.set_index("item_id")["group"]
    assert all(product[giver[text]] != product[item] for item, text in shuffled.items())


def test_nearest_is_the_description_of_a_train_item(items: pd.DataFrame) -> None:
    sources.main()
    train = set(items.loc[items["split"] == "train", "description"])
    assert set(read_source("nearest")) <= train
    of = items.set_index("item_id")["description"]
    arrival, twin = read_source("nearest").index[0], items.loc[items["split"] == "train", "item_id"].iloc[-1]
    rows = np.random.default_rng(5).normal(size=(len(items), 6))
    place = {item: row for row, item in enumerate(items["item_id"])}
    rows[place[arrival]] = rows[place[twin]]
    write_features(sources.PICTURES / "shades", items["item_id"].tolist(), rows)
    sources.main()
    assert read_source("nearest")[arrival] == of[twin]


def test_words_of_other_arrivals_reach_no_source_that_learns(items: pd.DataFrame) -> None:
    """New descriptions of the arrivals change only what is made of descriptions of arrivals."""
    sources.main()
    before = read_bytes()
    table = pd.read_parquet(sources.ITEMS)
    table.loc[table["split"] == "test", "description"] += " and more"
    table.to_parquet(sources.ITEMS)
    sources.main()
    changed = {source for source, content in read_bytes().items() if content != before[source]}
    assert changed == {"reference", "replaced-25", "replaced-50"}


def test_a_second_run_writes_the_same_bytes_and_another_seed_other_controls(items: pd.DataFrame) -> None:
    sources.main()
    before = read_bytes()
    sources.main()
    assert read_bytes() == before
    write_params(catalogue_sources={"seed": 43})
    sources.main()
    assert {source for source, content in read_bytes().items() if content != before[source]} == {
        "shuffled",
        "replaced-25",
        "replaced-50",
    }


@pytest.mark.parametrize(
    ("captions", "files"),
    [("scribe-ft", {"scribe-ft", "shuffled"}), ("scribe-pt", {"scribe-pt"}), ("replay-ft", {"replay-ft"})],
)
def test_new_captions_change_the_files_of_their_source_alone(
    items: pd.DataFrame, captions: str, files: set[str]
) -> None:
    sources.main()
    before = read_bytes()
    write_captions(captions, items["item_id"], "other words")
    sources.main()
    assert {source for source, content in read_bytes().items() if content != before[source]} == files


def test_another_captioner_leaves_the_other_files_as_they_are(items: pd.DataFrame) -> None:
    sources.main()
    before = read_bytes()
    write_captions("novice-pt", items["item_id"], "novice")
    write_captions("novice-ft", items["item_id"], "novice")
    write_params(captioners={"novice": {"family": "llava"}, **CAPTIONERS})
    sources.main()
    after = read_bytes()
    assert after.keys() - before.keys() == {"novice-pt", "novice-ft"}
    assert {source: after[source] for source in before} == before


def test_a_source_that_left_the_study_leaves_the_folder(items: pd.DataFrame) -> None:
    sources.main()
    write_params(sources=["none"])
    sources.main()
    assert sorted(read_bytes()) == ["none"]


def test_no_source_needs_no_data(study: Callable[..., None]) -> None:
    write_params(sources=[])
    sources.main()
    assert read_bytes() == {}


def test_captions_that_lack_arrivals_are_refused_with_their_number(items: pd.DataFrame) -> None:
    arrivals = sorted(items.loc[items["split"] == "test", "item_id"])
    write_captions("replay-pt", pd.Series(arrivals[6:]), "few")
    with pytest.raises(UserError) as refused:
        sources.main()
    message = str(refused.value)
    assert f"data/captions/replay-pt.parquet: source replay-pt: 6 of {len(arrivals)} arrivals have no words" in message
    assert f"first {', '.join(arrivals[:5])}, …" in message
    assert not sources.SOURCES.exists()


def test_a_missing_caption_file_is_named(items: pd.DataFrame) -> None:
    (sources.CAPTIONS / "scribe-pt.parquet").unlink()
    with pytest.raises(UserError, match=r"data/captions/scribe-pt.parquet: no such file, but `sources`"):
        sources.main()


def test_second_is_refused_where_the_data_has_no_second_description(items: pd.DataFrame) -> None:
    pd.read_parquet(sources.TRUTH).drop(columns="second_description").to_parquet(sources.TRUTH)
    with pytest.raises(UserError, match=r"truth.parquet: source second: this data has no second description"):
        sources.main()


def test_an_arrival_without_picture_features_is_named(items: pd.DataFrame) -> None:
    arrivals = sorted(items.loc[items["split"].isin(["test", "validation"]), "item_id"])
    write_pictures(sorted(set(items["item_id"]) - set(arrivals[:2])))
    with pytest.raises(UserError, match=f"shades: 2 of {len(arrivals)} items have no features, first {arrivals[0]}"):
        sources.main()


@pytest.mark.parametrize("name", ["refrence", "replaced-0", "replaced-100", "scribe-ft"])
def test_an_unknown_source_is_refused_with_what_is_allowed(study: Callable[..., None], name: str) -> None:
    write_params(sources=["none", name])
    with pytest.raises(UserError, match=rf"sources\.1: '{name}' is no known source; must be one of: reference, "):
        sources.main()


def test_captions_after_an_epoch_are_a_source_of_every_captioner(items: pd.DataFrame) -> None:
    test = items.loc[items["split"] == "test", "item_id"]
    for captioner in CAPTIONERS:
        (sources.CAPTIONS / "epochs" / captioner).mkdir(parents=True)
        for number in (1, 2):
            write_captions(f"epochs/{captioner}/{number}", test, f"{captioner} {number}")
    write_params(sources=["reference", "ft", "ft-epoch-2"])
    sources.main()
    of_epoch = ["replay-ft-epoch-2", "scribe-ft-epoch-2"]
    assert sorted(read_bytes()) == sorted(["reference", "replay-ft", "scribe-ft", *of_epoch])
    for source in of_epoch:
        captioner = source.partition("-")[0]
        assert all(text == f"{captioner} 2 of {item}" for item, text in read_source(source).items())
    write_params(sources=["reference", "ft-epoch-3"])
    with pytest.raises(
        UserError, match=r"epochs/scribe/3\.parquet: no such file.*epochs kept of this captioner: 1, 2; "
    ):
        sources.main()
    write_params(sources=["ft-epoch-0"])
    with pytest.raises(UserError, match=r"'ft-epoch-0' is no known source.*ft-epoch-N \(N from 1\)"):
        sources.main()
