"""Extractors that open pictures write the same bytes with the threads that a GPU gets."""

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from catalogue.prepared.images import pack_images
from pipeline.core.outputs import write_parquet
from recsys import features
from tests.helpers.full import slowly
from tests.helpers.readers import check_readers_change_nothing

ROOT = Path(__file__).parents[2]
IDS = [f"{number:010d}" for number in range(150)]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures and texts of 150 items, and the models and the parameters of the sample."""
    random = np.random.default_rng(0)

    def picture(item: str) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (40, 32 + int(item) % 7, 3), dtype=np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    monkeypatch.chdir(tmp_path)
    Path("data/prepared/images").mkdir(parents=True)
    Path("data/models").symlink_to(ROOT / "data" / "models")
    pictures = {item: picture(item) for item in IDS}
    pack_images(Path("data/prepared/images"), {item: item for item in IDS}, pictures.__getitem__, 64)
    write_parquet("data/prepared/items.parquet", pd.DataFrame({"item_id": IDS, "split": "train"}))
    words = pd.DataFrame({"item_id": IDS, "text": [f"a shirt, number {item}" for item in IDS], "source": "own"})
    write_parquet("data/texts/original.parquet", words)
    shipped = (ROOT / "studies" / "sample.yaml").read_text()
    texts = shipped[shipped.index("\ntexts:") : shipped.index("\nrecommenders:")]
    Path("params.yaml").write_text(
        shipped.replace(texts, "\ntexts:\n- original").replace("\n    batch_size: 32\n", "\n    batch_size: 4\n")
    )
    return tmp_path


@pytest.mark.parametrize("extractor", ["resnet50", *slowly("clip")])
def test_rec_features(study: Path, monkeypatch: pytest.MonkeyPatch, extractor: str) -> None:
    monkeypatch.setattr(sys, "argv", ["features", "--extractor", extractor])
    check_readers_change_nothing(features.main, monkeypatch)
