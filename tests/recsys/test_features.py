"""Feature stages: every row stays with its item, every distinct text is encoded once, unknown names are refused first."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from catalogue.prepared.images import pack_images
from features.files import read_features
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_parquet
from recsys import features
from recsys.extractors import Options

ROOT = Path(__file__).parents[2]
IDS = [f"{number:010d}" for number in (351332007, 5, 108775015, 42, 999999999, 351332001, 77, 8)]
OPTIONS = Options(
    image_model="m", image_size=32, text_model="t", clip_model="c", batch_size=3, precision="fp32", reduce="none"
)
PLACE = Path("work")


def place() -> Path:
    """An empty workplace."""
    shutil.rmtree(PLACE, ignore_errors=True)
    return PLACE


def shade(item: str) -> int:
    return int(item) % 251


def picture(item: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (16, 16), shade(item)).convert("RGB").save(buffer, "JPEG", quality=100)
    return buffer.getvalue()


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight items whose pictures have a grey of their own, packed in another order than items.parquet; two texts."""
    monkeypatch.chdir(tmp_path)
    images = Path("data/prepared/images")
    images.mkdir(parents=True)
    pack_images(images, {item: item for item in reversed(sorted(IDS))}, picture, 16)
    write_parquet("data/prepared/items.parquet", pd.DataFrame({"item_id": sorted(IDS)}))
    words = {item: ["", "a red shirt", "a blue hat"][place % 3] for place, item in enumerate(sorted(IDS))}
    write_text("original", {item: words[item] for item in sorted(IDS)[:5]})
    write_text("augmented", words | {sorted(IDS)[0]: "a caption"})
    return tmp_path


def write_text(text: str, words: dict[str, str]) -> None:
    source = ["ft" if "caption" in said else "own" if said else "none" for said in words.values()]
    table = pd.DataFrame({"item_id": list(words), "text": list(words.values()), "source": source})
    write_parquet(f"data/texts/{text}.parquet", table)


class Greys:
    """An image extractor whose feature is the picture's grey."""

    @staticmethod
    def image_vectors(ids: Sequence[str], store: features.ImageStore, options: Options) -> np.ndarray:
        return np.array([store[item].getpixel((3, 3))[0] for item in ids], dtype=np.float32).reshape(-1, 1)


class Lengths:
    """A text extractor whose feature is the length; it notes what it was asked."""

    asked: list[list[str]]

    def __init__(self) -> None:
        self.asked = []

    def text_vectors(self, texts: Sequence[str], options: Options) -> np.ndarray:
        self.asked.append(list(texts))
        return np.array([len(text) for text in texts], dtype=np.float32).reshape(-1, 1)


class Both(Lengths, Greys):
    pass


def test_every_picture_keeps_its_item_whatever_the_order(study: Path) -> None:
    features.of_images("greys", Greys, OPTIONS, place())
    stored = read_features("data/features/image/greys")
    assert stored.ids == tuple(sorted(IDS))
    assert stored.take(IDS)[:, 0].tolist() == [shade(item) for item in IDS]


@pytest.mark.parametrize("seed", range(5))
def test_permuted_items_find_every_row_still_with_its_item(study: Path, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(sorted(IDS)).tolist()
    write_parquet("data/prepared/items.parquet", pd.DataFrame({"item_id": order}))
    table = pd.read_parquet("data/texts/augmented.parquet").set_index("item_id").loc[order].reset_index()
    write_parquet("data/texts/augmented.parquet", table)
    features.of_images("greys", Greys, OPTIONS, place())
    features.of_texts("both", Both(), ["augmented"], OPTIONS, place())
    assert read_features("data/features/image/greys").take(IDS)[:, 0].tolist() == [shade(item) for item in IDS]
    words = table.set_index("item_id")["text"]
    rows = read_features("data/features/text/augmented/both").take(IDS)
    assert rows.tolist() == [[shade(item), len(words[item])] for item in IDS]


def test_each_distinct_text_is_encoded_once_over_all_variants(study: Path) -> None:
    lengths = Lengths()
    features.of_texts("lengths", lengths, ["original", "augmented"], OPTIONS, place())
    assert lengths.asked == [[""], ["a blue hat", "a red shirt"], ["a caption"]]


def test_other_captions_leave_the_texts_of_other_sources_their_batches(study: Path) -> None:
    asked = []
    for caption in ("a caption", "quite another caption"):
        table = pd.read_parquet("data/texts/augmented.parquet")
        write_text("augmented", dict(zip(table["item_id"], table["text"], strict=True)) | {sorted(IDS)[0]: caption})
        lengths = Lengths()
        features.of_texts("lengths", lengths, ["original", "augmented"], OPTIONS, place())
        asked.append(lengths.asked)
    assert asked[0][:-1] == asked[1][:-1]
    assert asked[0][-1] != asked[1][-1]


def test_a_text_has_rows_for_its_own_catalogue(study: Path) -> None:
    features.of_texts("lengths", Lengths(), ["original", "augmented"], OPTIONS, place())
    assert read_features("data/features/text/original/lengths").ids == tuple(sorted(IDS)[:5])
    augmented = read_features("data/features/text/augmented/lengths")
    assert augmented.ids == tuple(sorted(IDS))
    assert augmented.take([sorted(IDS)[0]]).tolist() == [[len("a caption")]]


def test_a_text_that_the_study_lacks_has_a_note_in_its_place(study: Path) -> None:
    features.of_texts("lengths", Lengths(), ["original"], OPTIONS, place())
    left_out = Path("data/features/text/masked-ft/lengths")
    assert [path.name for path in left_out.iterdir()] == [features.NOTE]
    assert not (Path("data/features/text/original/lengths") / features.NOTE).exists()


def test_no_texts_are_no_features(study: Path) -> None:
    features.of_texts("both", Both(), [], OPTIONS, place())
    assert {path.name for path in Path("data/features/text").rglob("*") if path.is_file()} == {features.NOTE}


class Plane(Greys):
    """Pictures and words in three dimensions, of which one says everything."""

    @staticmethod
    def image_vectors(ids: Sequence[str], store: features.ImageStore, options: Options) -> np.ndarray:
        return Greys.image_vectors(ids, store, options) * np.array([1, 2, 2], np.float32)

    @staticmethod
    def text_vectors(texts: Sequence[str], options: Options) -> np.ndarray:
        return np.array([[len(text), -len(text), 0] for text in texts], dtype=np.float32)


def test_reduced_features_keep_distances_on_fewer_dimensions(study: Path) -> None:
    reduce = OPTIONS.model_copy(update={"reduce": "pca95"})
    features.of_images("greys", Plane, reduce, place())
    found = read_features("data/features/image/greys").take(IDS)
    assert found.shape == (8, 1)
    shades = np.array([shade(item) for item in IDS])
    np.testing.assert_allclose(np.abs(found - found[0])[:, 0], 3 * np.abs(shades - shades[0]), atol=0.5)


def test_captions_change_no_component_of_words(study: Path) -> None:
    reduce = OPTIONS.model_copy(update={"reduce": "pca95"})
    rows = []
    for caption in ("a caption", "quite another caption, and a much longer one"):
        table = pd.read_parquet("data/texts/augmented.parquet")
        write_text("augmented", dict(zip(table["item_id"], table["text"], strict=True)) | {sorted(IDS)[0]: caption})
        features.of_texts("plane", Plane(), ["original", "augmented"], reduce, place())
        rows.append(read_features("data/features/text/augmented/plane").take(sorted(IDS)))
    assert rows[0].shape == (8, 2)
    np.testing.assert_array_equal(rows[0][1:], rows[1][1:])
    assert rows[0][0, 1] != rows[1][0, 1]


def test_a_killed_extraction_goes_on_to_the_same_features(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.shards.SHARD_ITEMS", 3)
    features.of_images("greys", Greys, OPTIONS, place())
    wanted = Path("data/features/image/greys/features.npy").read_bytes()
    asked: list[list[str]] = []

    class Dying:
        @staticmethod
        def image_vectors(ids: Sequence[str], store: features.ImageStore, options: Options) -> np.ndarray:
            asked.append(list(ids))
            if len(asked) == 2:
                raise KeyboardInterrupt
            return Greys.image_vectors(ids, store, options)

    empty = place()
    with pytest.raises(KeyboardInterrupt):
        features.of_images("again", Dying, OPTIONS, empty)
    assert not Path("data/features/image/again").exists()
    features.of_images("again", Dying, OPTIONS, empty)
    assert asked == [sorted(IDS)[:3], sorted(IDS)[3:6], sorted(IDS)[3:6], sorted(IDS)[6:]]
    assert Path("data/features/image/again/features.npy").read_bytes() == wanted


def test_an_unknown_text_is_refused(study: Path) -> None:
    with pytest.raises(UserError, match=r"data/texts/masked-ft.parquet: no such file"):
        features.of_texts("lengths", Lengths(), ["original", "masked-ft"], OPTIONS, place())
    assert not Path("data/features").exists()


def test_a_null_text_is_refused_with_its_item(study: Path) -> None:
    write_parquet(
        "data/texts/original.parquet", pd.DataFrame({"item_id": ["0000000005"], "text": [None], "source": ["own"]})
    )
    with pytest.raises(UserError, match="item 0000000005 has a null text"):
        features.read_text("original")


def run_stage(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "recsys.features", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_stage_extracts_text_features(study: Path) -> None:
    text = (ROOT / "params.yaml").read_text()
    axis = text[text.index("\ntexts:") : text.index("\nrecommenders:")]
    (study / "params.yaml").write_text(text.replace(axis, "\ntexts:\n- original\n- augmented"))
    ended = run_stage(study, "--extractor", "sbert")
    assert ended.returncode == 0, ended.stderr
    assert "2 texts of 8 items, 4 different, 384 dimensions" in ended.stdout
    rows = read_features("data/features/text/augmented/sbert").take(sorted(IDS))
    np.testing.assert_array_equal(rows[3], rows[6])  # both without words
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "message"), [("sbrt", "did you mean sbert?"), ("zzz", "must be one of: clip, resbert, resnet50, sbert")]
)
def test_an_unknown_extractor_is_refused_before_anything_is_read(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    ended = run_stage(tmp_path, "--extractor", name)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {name!r} is no known extractor")
    assert message in ended.stderr


def test_wrong_params_are_found_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text().replace("image_size: 96", "image_size: 7"))
    code = "import sys; sys.argv += ['--extractor', 'sbert']\nfrom recsys.features import main\ntry: main()\nexcept Exception as error: print(error, 'torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "rec_features.image_size: 7 is not allowed" in ended.stdout
    assert ended.stdout.strip().endswith("False")
