"""Features of sources: the picture is the item's own, known texts keep their vectors, the others are encoded once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.files import Features, read_features
from pipeline.core.errors import UserError
from recsys.encoding.feature_sets import read_text
from recsys.encoding.sources import order_groups, read_source, write_source_features
from recsys.encoding.stored import StoredText, read_stored_text
from recsys.extractors import ExtractorSettings
from tests.recsys.encoding.examples import (
    IDS,
    REDUCED,
    SETTINGS,
    Both,
    Lengths,
    Plane,
    encode_texts,
    encoder,
    shade,
    write_study,
)

ARRIVALS = sorted(IDS)[1:4]
FOLDER = Path("data/features/sources/any")


@pytest.fixture(autouse=True)
def _study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study()


def table(*texts: str, ids: list[str] = ARRIVALS) -> pd.DataFrame:
    return pd.DataFrame({"item_id": ids, "text": texts})


def write(
    extractor: object, sources: dict[str, pd.DataFrame], settings: ExtractorSettings = SETTINGS
) -> dict[str, Features]:
    """Write the features of `original`, then those of the sources, by the same extractor."""
    encode_texts("any", encoder(extractor, settings), ["original"])
    stored, text = (
        read_stored_text(Path("data/features/text/original/any")),
        read_text(Path("data/texts/original.parquet")),
    )
    write_source_features(FOLDER, encoder(extractor, settings), sources, stored, text)
    return {source: read_features(FOLDER / source) for source in sources}


def test_a_row_is_the_picture_of_the_item_and_the_words_of_the_source() -> None:
    stored = write(Both(), {"a-pt": table("four", "sixsix", ""), "none": table("", "", "")})
    assert stored["a-pt"].ids == tuple(ARRIVALS)
    assert stored["a-pt"].take(ARRIVALS).tolist() == [
        [shade(item), length] for item, length in zip(ARRIVALS, (4, 6, 0), strict=True)
    ]
    assert stored["none"].take(ARRIVALS).tolist() == [[shade(item), 0] for item in ARRIVALS]


def test_the_reference_has_the_rows_of_original_bit_by_bit() -> None:
    original = read_text(Path("data/texts/original.parquet")).set_index("item_id")["text"]
    for extractor, settings in ((Both(), SETTINGS), (Plane(), REDUCED)):
        stored = write(extractor, {"reference": table(*original[ARRIVALS])}, settings)
        expected = read_features("data/features/text/original/any").take(ARRIVALS)
        np.testing.assert_array_equal(stored["reference"].take(ARRIVALS), expected)


def test_each_text_is_encoded_once_and_known_ones_not_again() -> None:
    lengths = Lengths()
    write(
        lengths,
        {
            "b-ft": table("new words", "of ft", "of pt"),
            "shuffled": table("of ft", "of pt", "new words"),
            "b-pt": table("of pt", "of pt", "a red shirt"),
            "second": table("second words", "a blue hat", ""),
        },
    )
    assert lengths.calls[-3:] == [["second words"], ["of pt"], ["new words", "of ft"]]
    assert len([text for call in lengths.calls for text in call]) == 3 + 4  # those of original, and these


@pytest.mark.slow
def test_new_captions_leave_the_batches_of_other_sources_as_they_are() -> None:
    calls = []
    for caption in ("one", "another caption"):
        lengths = Lengths()
        write(lengths, {"b-ft": table(caption, "x", "y"), "none": table("", "", ""), "b-pt": table("p", "q", "r")})
        calls.append(lengths.calls)
    assert calls[0][:-1] == calls[1][:-1]
    assert calls[0][-1] != calls[1][-1]


def test_words_are_projected_on_the_components_of_original() -> None:
    stored = write(Plane(), {"a-pt": table("four", "sixsix", "a red shirt")}, REDUCED)
    words = stored["a-pt"].take(ARRIVALS)[:, 1]
    known = read_stored_text(Path("data/features/text/original/any"))
    lengths = np.array([4, 6, len("a red shirt")])
    expected = (np.stack([lengths, -lengths, 0 * lengths], axis=1) - known.components.mean) @ known.components.weights
    np.testing.assert_allclose(words, expected[:, 0], rtol=1e-3)
    assert stored["a-pt"].array.shape[1] == 2


def test_features_made_with_another_reduce_are_refused() -> None:
    encode_texts("any", encoder(Plane(), SETTINGS), ["original"])
    stored, text = (
        read_stored_text(Path("data/features/text/original/any")),
        read_text(Path("data/texts/original.parquet")),
    )
    with pytest.raises(UserError, match=r"original/any: made with another rec_features\.plane\.reduce"):
        write_source_features(FOLDER, encoder(Plane(), REDUCED), {"none": table("", "", "")}, stored, text)


@pytest.mark.parametrize("extractor", [Both(), Lengths()])
def test_arrivals_without_features_are_counted_and_named(extractor: object) -> None:
    missing = [f"new{number}" for number in range(6)]
    with pytest.raises(UserError, match=r"6 of 7 items have no features, first new0, new1, new2, new3, new4, …"):
        write(extractor, {"none": table(*[""] * 7, ids=[*missing, ARRIVALS[0]])})
    assert not FOLDER.exists()


def test_a_source_that_left_the_study_leaves_the_folder() -> None:
    write(Lengths(), {"none": table("", "", ""), "second": table("a", "b", "c")})
    write(Lengths(), {"none": table("", "", "")})
    assert [path.name for path in FOLDER.iterdir()] == ["none"]


def test_a_source_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"data/sources/second.parquet: no such file; `dvc repro catalogue_sources`"):
        read_source(Path("data/sources/second.parquet"))


def test_features_without_a_layout_are_refused() -> None:
    with pytest.raises(UserError, match=r"original/none: no features with a columns.json; name `original` among"):
        read_stored_text(Path("data/features/text/original/none"))


@given(st.permutations(["reference", "shuffled", "a-pt", "b-pt", "a-ft", "b-ft", "none"]))
def test_captions_come_last_and_fine_tuned_ones_at_the_end(sources: list[str]) -> None:
    ordered = order_groups(sources)
    assert sorted(ordered) == sorted(sources)
    assert set(ordered[:2]) == {"reference", "none"}
    assert set(ordered[2:4]) == {"a-pt", "b-pt"}


def test_pictures_and_words_are_read_apart() -> None:
    features = Features(("a", "b"), np.arange(6, dtype=np.float16).reshape(2, 3))
    stored = StoredText(features, 2)
    assert stored.take_pictures(["b", "a"]).tolist() == [[3, 4], [0, 1]]
    assert stored.take_words(["b"]).tolist() == [[5]]
    assert StoredText(features, 0).take_pictures(["a"]).shape == (1, 0)
