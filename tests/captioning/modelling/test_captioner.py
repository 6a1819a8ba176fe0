"""Images that an image processor refuses are named; the others are prepared as without them."""

from pathlib import Path

import pytest
from PIL import Image

from captioning.modelling import prepare_images
from catalogue.prepared.jpeg import shrink
from pipeline.core.errors import UserError
from tests.captioning.families import auto_models
from tests.captioning.families.examples import IMAGES

BANNER = Path(__file__).parents[2] / "cases/23-aspect-ratio/banner.jpg"


def test_a_picture_that_the_image_processor_refuses_is_named() -> None:
    captioner = auto_models.build("qwen2_vl")
    images = [*IMAGES, Image.open(BANNER).convert("RGB"), Image.new("RGB", (1, 256))]
    names = [f"A00{number}" for number in range(len(images))]
    with pytest.raises(UserError) as refusal:
        prepare_images(captioner, images, names)
    message = str(refusal.value)
    assert message.startswith("Qwen2VLImageProcessor")
    assert f"refuses 2 of 6 pictures, first A004 ({images[4].width} × {images[4].height}), A005 (1 × 256): " in message
    assert "200" in message
    assert len(prepare_images(captioner, images[:4], names[:4])) == 4


def test_a_banner_is_packed_and_named_later(tmp_path: Path) -> None:
    _, width, height = shrink(BANNER.read_bytes(), 256, "banner.jpg")
    assert (width, height) == (256, 1)


def test_an_error_that_no_picture_causes_alone_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    captioner = auto_models.build("qwen2_vl")
    with pytest.raises((ValueError, TypeError, AttributeError)) as error:
        prepare_images(captioner, [None], [])  # type: ignore[list-item]
    assert not isinstance(error.value, UserError)
