"""FACAD's files as published, small: every way to read them, and every way in which they are refused."""

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from catalogue import prepare
from catalogue.prepared.images import ImageStore
from catalogue.readers import Raw, facad
from catalogue.readers.facad_captions import Descriptions
from catalogue.readers.facad_files import META, decode
from pipeline.core.errors import UserError
from pipeline.core.params import read
from tests.helpers.full import full
from tests.helpers.raw_data import build_garments, read_pixels, write_facad, write_facad_raw

FACAD = Path("data/raw/facad")
WriteParams = Callable[..., None]


def open_raw(facad_test: str, study: WriteParams) -> Raw:
    study(dataset="facad", catalogue_prepare={"facad_test": facad_test})
    return facad.open_raw(FACAD, read(prepare.Params).catalogue_prepare)


@pytest.fixture(scope="module")
def written(small_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files once; not to be changed."""
    folder = tmp_path_factory.mktemp("facad") / "facad"
    write_facad(small_shop, folder)
    return folder


@pytest.fixture
def published(study: WriteParams, written: Path) -> Path:
    return Path(shutil.copytree(written, FACAD))


def test_the_test_set_whose_captions_have_no_keys_is_refused_with_both_counts(
    published: Path, study: WriteParams
) -> None:
    with pytest.raises(
        UserError, match=r"the test set has (\d+) images, (\d+) captions, \d+ categories without keys"
    ) as refusal:
        open_raw("refuse", study)
    assert "facad_test: raw (reads meta_all_129927.json" in str(refusal.value)
    assert "first_99946" in str(refusal.value)


def test_admitted_it_is_read_as_it_stands_and_marked(published: Path, study: WriteParams, small_shop: Path) -> None:
    raw, garments = open_raw("first_99946", study), build_garments(small_shop)
    n_test = (raw.articles["split"] == "test").sum()
    assert n_test == raw.unverified == 2 * (len(garments) - len(garments) * 8 // 10) - 2
    assert len(raw.articles) == 2 * len(garments) - 2
    first = raw.articles[raw.articles["split"] == "train"].head(2)
    assert first["description"].tolist() == [garments[0]["description"].lower()] * 2
    assert first["category"].tolist() == [garments[0]["category"]] * 2
    assert first["item_id"].tolist() == ["train-0000000", "train-0000001"]
    assert raw.read_purchases is not None
    assert list(raw.read_purchases()) == []


def test_attributes_are_facads_own_those_of_the_test_set_by_its_captions(
    published: Path, study: WriteParams, small_shop: Path
) -> None:
    raw = open_raw("first_99946", study)
    of_text = {garment["description"].lower(): set(garment["attr"]) - {"nah"} for garment in build_garments(small_shop)}
    for split in ("train", "test"):
        rows = raw.articles[raw.articles["split"] == split]
        assert [set(attributes) for attributes in rows["attributes"]] == [of_text[text] for text in rows["description"]]
    assert raw.articles["attributes"].str.len().sum() > 50


def test_word_ids_are_decoded_and_padding_is_left_out(study: WriteParams, small_shop: Path) -> None:
    write_facad(small_shop, FACAD)
    words = open_raw("first_99946", study).articles
    other = FACAD.with_name("coded")
    write_facad(small_shop, other, ids=True)
    coded = facad.open_raw(other, read(prepare.Params).catalogue_prepare).articles
    pd.testing.assert_frame_equal(coded, words)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([15805, 1, 2, 15806, 0, 0], ["red", "dress"]),
        ([15804, 2], ["dress"]),
        ("red nah dress", ["red", "dress"]),
        (["nah"], []),
        ({"caption": "red dress"}, ["red", "dress"]),
    ],
)
def test_padding_is_no_word(value: Any, words: list[str]) -> None:
    assert decode(Path("x.json"), value, {1: "red", 2: "dress"}) == words


def test_pictures_lose_nothing(published: Path, study: WriteParams, small_shop: Path) -> None:
    raw, pixels = open_raw("first_99946", study), read_pixels(small_shop)
    head, size, depth, body = raw.read_image("train-0000003").split(b"\n", 3)
    assert (head, size, depth) == (b"P6", b"256 256", b"255")
    assert (np.frombuffer(body, np.uint8).reshape(256, 256, 3).transpose(2, 0, 1) == pixels[1]).all()


def test_prepared_with_its_own_split_and_without_purchases(
    published: Path, study: WriteParams, capsys: pytest.CaptureFixture[str]
) -> None:
    study(
        dataset="facad", catalogue_prepare={"facad_test": "first_99946", "split": "published", "min_items_per_type": 1}
    )
    prepare.main()
    items, metrics = (
        pd.read_parquet("data/prepared/items.parquet"),
        json.loads(Path("metrics/catalogue.json").read_text()),
    )
    assert (items["split"] == items["item_id"].str.split("-").str[0]).all()
    assert set(metrics["split_by_policy"]) == {"grouped", "random", "published"}
    assert metrics["split"] == metrics["split_by_policy"]["published"]
    assert metrics["unverified_test_captions"] == metrics["split"]["test"]
    own = {word for words in items["attributes"] for word in words}
    assert metrics["attributes"] == len(own) > 3
    assert metrics["fashion_types"] == items["category"].nunique()
    assert metrics["purchases"] == len(pd.read_parquet("data/prepared/purchases.parquet")) == 0
    assert f"{len(own)} attributes of their own" in capsys.readouterr().out
    store = ImageStore("data/prepared/images")
    assert store[items["item_id"][0]].size == (256, 256)


def test_views_of_a_garment_stay_together_in_our_split(published: Path, study: WriteParams) -> None:
    study(dataset="facad", catalogue_prepare={"facad_test": "first_99946", "min_items_per_type": 1})
    prepare.main()
    items = pd.read_parquet("data/prepared/items.parquet")
    assert (items.groupby("description")["split"].nunique() == 1).all()


def test_the_raw_edition_has_ids(study: WriteParams, small_shop: Path) -> None:
    write_facad_raw(small_shop, FACAD)
    study(dataset="facad", catalogue_prepare={"facad_test": "raw", "min_items_per_type": 1})
    prepare.main()
    items, garments = pd.read_parquet("data/prepared/items.parquet"), build_garments(small_shop)
    assert len(items) == 2 * len(garments)
    assert items["item_id"][:2].tolist() == ["20000_0_0", "20000_0_1"]
    described = dict(zip(items["item_id"], items["description"], strict=True))
    assert all(described[f"{garment['id']}_0_1"] == garment["description"].lower() for garment in garments)
    assert (items.groupby("product_code")["split"].nunique() == 1).all()
    assert "unverified_test_captions" not in json.loads(Path("metrics/catalogue.json").read_text())


def test_captions_by_number_are_read_in_the_order_of_the_numbers(published: Path, study: WriteParams) -> None:
    expected = open_raw("first_99946", study).articles
    path = published / "TRAIN_CAPTIONS_RAW.json"
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))  # 0, 1, 10, 100, 101 …
    pd.testing.assert_frame_equal(open_raw("first_99946", study).articles, expected)


def test_values_that_are_missing_and_markup_are_no_words(study: WriteParams, small_shop: Path) -> None:
    write_facad_raw(small_shop, FACAD)
    garments = json.loads((FACAD / META).read_text())
    texts = {None: "", "N/A": "", "nan": "", "<p>Soft &amp; warm</p>": "Soft & warm"}
    for garment, text in zip(garments, texts, strict=False):
        garment["description"] = text
    garments[4] |= {"category": None, "categoryid": None, "attr": None}
    (FACAD / META).write_text(json.dumps(garments))
    articles = open_raw("raw", study).articles[::2]  # the first of two views
    assert articles["description"][:4].fillna("").tolist() == list(texts.values())
    assert articles["category"].iloc[4] == "item"
    assert articles["attributes"].iloc[4] == []
    assert articles["category"].iloc[5] == garments[5]["category"]


def test_a_caption_for_a_missing_value_is_none(published: Path, study: WriteParams) -> None:
    path = published / "VAL_CAPTIONS_RAW.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"0": {"caption": "nan"}}))
    articles = open_raw("first_99946", study).articles
    assert articles["description"][articles["split"] == "validation"].isna().sum() == 1


def test_pictures_of_no_garment_are_counted(
    study: WriteParams, small_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_facad_raw(small_shop, FACAD)
    shutil.copy(FACAD / "images/20000_0_0.jpg", FACAD / "images/999_0_0.jpg")
    study(dataset="facad", catalogue_prepare={"facad_test": "raw", "min_items_per_type": 1})
    prepare.main()
    assert "; 1 pictures of no article, first data/raw/facad/images/999_0_0.jpg" in capsys.readouterr().out


def test_the_raw_edition_has_no_split_of_its_own(study: WriteParams, small_shop: Path) -> None:
    write_facad_raw(small_shop, FACAD)
    study(dataset="facad", catalogue_prepare={"facad_test": "raw", "split": "published"})
    with pytest.raises(
        UserError, match=r"catalogue_prepare\.split: published, but .* without a split; allowed: grouped, random"
    ):
        prepare.main()
    assert not list(Path("data").glob("prepared*"))


# What is refused: the message, and nothing on disk


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-200]) and None


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def change(name: str, edit: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(json.dumps(edit(json.loads((folder / name).read_text())))) and None


def hdf5(key: str, array: np.ndarray) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        with h5py.File(folder / "VAL_IMAGES.hdf5", "w") as file:
            file.create_dataset(key, data=array)

    return spoil


PIXELS = np.zeros((4, 3, 256, 256), np.uint8)
REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no folder": (
        lambda folder: folder.rename("elsewhere") and None,
        r"data/raw/facad: no such folder; put FACAD's files there",
    ),
    "no metadata": (remove(META), rf"{META}: no such file; put FACAD's files there"),
    "no images": (remove("VAL_IMAGES.hdf5"), r"VAL_IMAGES\.hdf5: no such file"),
    "no captions": (remove("TRAIN_CAPTIONS_RAW.json"), r"TRAIN_CAPTIONS_RAW\.json: no such file"),
    "hdf5 without images": (hdf5("pictures", PIXELS), r"VAL_IMAGES\.hdf5: no `images` in it; found pictures"),
    "hdf5 of the wrong shape": (
        hdf5("images", PIXELS.transpose(0, 2, 3, 1)),
        r"images are uint8 \(256, 256, 3\), expected uint8 \(3, 256, 256\)",
    ),
    "hdf5 of floats": (hdf5("images", PIXELS.astype("f4")), r"images are float32 \(3, 256, 256\), expected uint8"),
    "hdf5 cut off": (cut("TRAIN_IMAGES.hdf5"), r"TRAIN_IMAGES\.hdf5: not a readable HDF5 file"),
    "json cut in half": (cut("TRAIN_CAPTIONS_RAW.json"), r"TRAIN_CAPTIONS_RAW\.json: not valid JSON .*is it cut off"),
    "metadata cut": (cut(META), rf"{META}: not valid JSON"),
    "metadata of another kind": (change(META, lambda rows: {"rows": rows}), "expected a list of garments"),
    "garment without description": (
        change(META, lambda rows: [{**rows[0], "description": 1}, {"id": 1}]),
        "garment 1 has no description, category, attr, images",
    ),
    **{
        f"{key} is {value!r}": (
            change(META, lambda rows, wrong={key: value}: [*rows[:7], rows[7] | wrong, *rows[8:]]),  # type: ignore[misc]
            rf"{META}: garment 7: {key} is {re.escape(repr(value))}, expected {expected}; correct it",
        )
        for key, value, expected in (
            ("id", None, "a number or a text"),
            ("description", ["red"], "a text or null"),
            ("category", 3, "a text or null"),
            ("categoryid", "x", "a whole number or null"),
            ("attr", "red cotton", "a list of texts or null"),
            ("attr", ["red", None], "a list of texts or null"),
        )
    },
    "no category ids": (
        change(META, lambda rows: [{k: v for k, v in row.items() if k != "categoryid"} for row in rows]),
        "no garment has a categoryid",
    ),
    "captions and images of different length": (
        change("TRAIN_CAPTIONS_RAW.json", lambda rows: dict(list(rows.items())[:-3])),
        r"TRAIN has (\d+) images, (\d+) captions, \d+ categories; a file is incomplete",
    ),
    "a caption's number is missing": (
        change("TRAIN_CAPTIONS_RAW.json", lambda rows: {key: rows[key] for key in rows if key != "2"}),
        r"TRAIN_CAPTIONS_RAW\.json: the keys of its \d+ entries are not the numbers from 0 to \d+: 2 is missing",
    ),
    "captions that are none": (
        change("VAL_CAPTIONS_RAW.json", lambda rows: 7),
        r"VAL_CAPTIONS_RAW\.json: expected a list",
    ),
    "caption that is none": (
        change("VAL_CAPTIONS_RAW.json", lambda rows: rows | {"0": 7}),
        r"VAL_CAPTIONS_RAW\.json: 7 is neither a text nor",
    ),
    "attributes of different length": (
        change("TRAIN_ATTRS.json", lambda rows: rows[1:]),
        r"TRAIN_ATTRS\.json: \d+ lists of attributes for \d+ images",
    ),
    "category out of range": (
        change("VAL_CATES_FLAT.json", lambda rows: [*rows[:-1], 978]),
        r"VAL_CATES_FLAT\.json: category 978 is out of range; .* has \d+ categories",
    ),
    "category that is no number": (
        change("VAL_CATES_FLAT.json", lambda rows: [*rows[:-1], "shoe"]),
        "category 'shoe' is out of range",
    ),
    "word ids without a word map": (
        change("VAL_CAPTIONS_RAW.json", lambda rows: [[3, 4]] * len(rows)),
        r"VAL_CAPTIONS_RAW\.json: word ids that WORDMAP\*\.json does not have",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_data_is_named_and_leaves_nothing(published: Path, study: WriteParams, kind: str) -> None:
    spoil, message = REFUSED[kind]
    study(dataset="facad", catalogue_prepare={"facad_test": "first_99946", "min_items_per_type": 1})
    spoil(published)
    with pytest.raises(UserError, match=message) as refusal:
        prepare.main()
    assert "data/raw/facad" in str(refusal.value)
    assert not list(Path("data").glob("prepared*"))
    assert not Path("metrics/catalogue.json").exists()


# The index, compared with a search through every description


def quadratic(caption: str, descriptions: list[str]) -> tuple[int, float]:
    """Apply the study's rule: the earliest description whose first words share most with the caption."""
    words, best, largest = caption.lower().split(), -1, 0
    for number, description in enumerate(descriptions):
        shared = len(set(words) & set(description.lower().split()[: len(words)]))
        if shared > largest:
            best, largest = number, shared
    return best, largest / len(set(words)) if words else 0.0


def texts(n: int, n_words: int, seed: int) -> list[str]:
    """Draw texts with word frequencies as in prose: the k-th word is 1/k as frequent as the first."""
    generator = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_words + 1)
    lengths = generator.integers(3, 30, n)
    drawn = generator.choice(n_words, lengths.sum(), p=share / share.sum())
    return [" ".join(f"w{word}" for word in part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]


@pytest.mark.parametrize("seed", range(5))
def test_the_index_finds_what_the_comparison_of_all_finds(seed: int) -> None:
    descriptions = texts(300, 120, seed)
    generator = np.random.default_rng(seed)
    cut_off = [" ".join(text.split()[: generator.integers(1, 20)]) for text in descriptions[::3]]
    captions = [*cut_off, *texts(100, 150, seed + 100), "nothing alike", "", "w1 w1 w1"]
    index = Descriptions(descriptions)
    assert [index.find_best(caption) for caption in captions] == [
        quadratic(caption, descriptions) for caption in captions
    ]


@full
@pytest.mark.slow
def test_a_hundred_thousand_captions_against_as_many_descriptions_take_a_minute() -> None:
    """FACAD's size: 129,927 descriptions, 99,946 captions, of which two thirds are cut from a description."""
    descriptions = texts(129_927, 15_800, 0)
    captions = [" ".join(text.split()[:20]) for text in descriptions[:66_000]] + texts(33_946, 15_800, 1)
    started = time.process_time()
    index = Descriptions(descriptions)
    results = [index.find_best(caption) for caption in captions]
    seconds = time.process_time() - started
    print(f"attributes of 99,946 captions: {seconds:.1f} CPU seconds")
    assert all(overlap == 1 for _, overlap in results[:66_000])
    assert seconds < 60
