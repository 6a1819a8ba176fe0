"""Feature sets: every row stays with its item, every distinct text is encoded once, a killed extraction continues."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catalogue.prepared.images import ImageStore, pack_images
from catalogue.prepared.views import SEPARATOR, name_view
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_parquet
from recsys.encoding.feature_sets import NOTE, read_text, write_note
from recsys.extractors import ExtractorSettings
from tests.recsys.encoding.examples import (
    IDS,
    IMAGES,
    REDUCED,
    TRAIN,
    Both,
    Greys,
    Lengths,
    Plane,
    encode_images,
    encode_texts,
    encoder,
    picture,
    shade,
    write_study,
    write_text,
)

FIRST = sorted(IDS)[0]


@pytest.fixture(autouse=True)
def _study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study()


def rewrite_caption(caption: str) -> None:
    """Another caption of the first item of `augmented`."""
    table = pd.read_parquet("data/texts/augmented.parquet")
    write_text("augmented", dict(zip(table["item_id"], table["text"], strict=True)) | {FIRST: caption})


def test_every_picture_keeps_its_item_whatever_the_order() -> None:
    stored = encode_images("greys", encoder(Greys))
    assert stored.ids == tuple(sorted(IDS))
    assert stored.take(IDS)[:, 0].tolist() == [shade(item) for item in IDS]


def test_a_row_is_the_mean_over_an_items_pictures() -> None:
    """Whichever batch of three they are in; the pictures of the others stay their own."""
    shutil.rmtree(IMAGES)
    IMAGES.mkdir()
    views = {item: number % 4 for number, item in enumerate(sorted(IDS), 1)}
    names = [name_view(item, number) for item in sorted(IDS) for number in range(1, views[item] + 2)]
    pack_images(IMAGES, {name: name for name in names}, lambda name: picture(name.partition(SEPARATOR)[2] or name), 16)
    rows = encode_images("greys", encoder(Greys)).take(sorted(IDS))[:, 0]
    expected = [np.mean([shade(item), *range(2, views[item] + 2)]) for item in sorted(IDS)]
    np.testing.assert_allclose(rows, expected, rtol=1e-3)  # stored in 16 bits


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_permuted_items_stay_with_their_items(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(sorted(IDS)).tolist()
    table = pd.read_parquet("data/texts/augmented.parquet").set_index("item_id").loc[order].reset_index()
    write_parquet("data/texts/augmented.parquet", table)
    assert encode_images("greys", encoder(Greys), order).take(IDS)[:, 0].tolist() == [shade(item) for item in IDS]
    words = table.set_index("item_id")["text"]
    rows = encode_texts("both", encoder(Both()), ["augmented"])["augmented"].take(IDS)
    assert rows.tolist() == [[shade(item), len(words[item])] for item in IDS]


def test_each_distinct_text_is_encoded_once_over_all_variants() -> None:
    lengths = Lengths()
    encode_texts("lengths", encoder(lengths), ["original", "augmented"])
    assert lengths.calls == [[""], ["a blue hat", "a red shirt"], ["a caption"]]


def test_other_captions_leave_the_texts_of_other_sources_their_batches() -> None:
    calls = []
    for caption in ("a caption", "quite another caption"):
        rewrite_caption(caption)
        lengths = Lengths()
        encode_texts("lengths", encoder(lengths), ["original", "augmented"])
        calls.append(lengths.calls)
    assert calls[0][:-1] == calls[1][:-1]
    assert calls[0][-1] != calls[1][-1]


def test_a_text_has_rows_for_its_own_catalogue() -> None:
    stored = encode_texts("lengths", encoder(Lengths()), ["original", "augmented"])
    assert stored["original"].ids == tuple(sorted(IDS)[:5])
    assert stored["augmented"].ids == tuple(sorted(IDS))
    assert stored["augmented"].take([FIRST]).tolist() == [[len("a caption")]]


def test_no_texts_are_no_features() -> None:
    assert encode_texts("both", encoder(Both()), []) == {}
    assert not Path("data/features").exists()


def test_a_note_replaces_the_features_of_an_earlier_study() -> None:
    encode_texts("lengths", encoder(Lengths()), ["original"])
    folder = Path("data/features/text/original/lengths")
    write_note(folder, "original")
    assert [path.name for path in folder.iterdir()] == [NOTE]
    assert "original is not among the `texts`" in (folder / NOTE).read_text()


def test_reduced_features_keep_distances_on_fewer_dimensions() -> None:
    rows = encode_images("greys", encoder(Plane, REDUCED)).take(IDS)
    assert rows.shape == (8, 1)
    shades = np.array([shade(item) for item in IDS])
    np.testing.assert_allclose(np.abs(rows - rows[0])[:, 0], 3 * np.abs(shades - shades[0]), atol=0.5)


def test_captions_change_no_component_of_words() -> None:
    rows = []
    for caption in ("a caption", "quite another caption, and a much longer one"):
        rewrite_caption(caption)
        stored = encode_texts("plane", encoder(Plane(), REDUCED), ["original", "augmented"])
        rows.append(stored["augmented"].take(sorted(IDS)))
    assert rows[0].shape == (8, 2)
    np.testing.assert_array_equal(rows[0][1:], rows[1][1:])
    assert rows[0][0, 1] != rows[1][0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_the_words_of_arrivals_change_no_row_of_other_items(seed: int) -> None:
    """Whether `original` or a masked text has them: the components are of the train items' words."""
    random, rows = np.random.default_rng(seed), []
    table = read_text(Path("data/texts/original.parquet")).assign(source="own")
    held_out = ~table["item_id"].isin(TRAIN)
    for sources in (("own", "own"), ("own", "reference")):
        words = [random.choice(list("abc "), random.integers(40)).tobytes().hex() for _ in range(held_out.sum())]
        for text, source in zip(("original", "masked-reference"), sources, strict=True):
            table.loc[held_out, ["text", "source"]] = [[word, source] for word in words]
            write_parquet(f"data/texts/{text}.parquet", table)
        stored = encode_texts("plane", encoder(Plane(), REDUCED), ["original", "masked-reference"])
        rows.append([features.take(TRAIN) for features in stored.values()])
    np.testing.assert_array_equal(rows[0], rows[1])


def test_too_few_items_to_reduce_name_the_extractors_own_key() -> None:
    with pytest.raises(UserError, match=r"rec_features\.plane\.reduce: pca95 needs at least two items, found 1"):
        encode_images("greys", encoder(Plane, REDUCED), [FIRST])


def test_a_killed_extraction_continues_to_the_same_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.shards.SHARD_ITEMS", 3)
    encode_images("greys", encoder(Greys))
    whole = Path("data/features/image/greys/features.npy").read_bytes()
    calls: list[list[str]] = []

    class Dying(Greys):
        @staticmethod
        def image_vectors(
            ids: Sequence[str], store: ImageStore, settings: ExtractorSettings, device: str
        ) -> np.ndarray:
            calls.append(list(ids))
            if len(calls) == 2:
                raise KeyboardInterrupt
            return Greys.image_vectors(ids, store, settings, device)

    with pytest.raises(KeyboardInterrupt):
        encode_images("again", encoder(Dying))
    assert not Path("data/features/image/again").exists()
    encode_images("again", encoder(Dying, resumed=True))
    assert calls == [sorted(IDS)[:3], sorted(IDS)[3:6], sorted(IDS)[3:6], sorted(IDS)[6:]]
    assert Path("data/features/image/again/features.npy").read_bytes() == whole


def test_an_unknown_text_is_refused() -> None:
    with pytest.raises(UserError, match=r"data/texts/masked-ft.parquet: no such file; is 'masked-ft' one of"):
        encode_texts("lengths", encoder(Lengths()), ["original", "masked-ft"])
    assert not Path("data/features").exists()


def test_a_null_text_is_refused_with_its_item() -> None:
    table = pd.DataFrame({"item_id": ["0000000005"], "text": [None], "source": ["own"]})
    write_parquet("data/texts/original.parquet", table)
    with pytest.raises(UserError, match="item 0000000005 has a null text"):
        read_text(Path("data/texts/original.parquet"))
