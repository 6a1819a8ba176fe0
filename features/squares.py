"""Pictures padded to a square, for image processors that would cut a portrait to the square in its middle."""

from typing import Any

from PIL import Image


def pad_to_square(image: Image.Image, colour: tuple[int, ...]) -> Image.Image:
    """Pad a picture on both sides of its shorter direction.

    >>> pad_to_square(Image.new("RGB", (2, 4)), (9, 9, 9)).size
    (4, 4)

    Args:
        image: RGB.
        colour: of the padding.
    """
    side = max(image.size)
    padded = Image.new("RGB", (side, side), colour)
    padded.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return padded


def mean_colour(processor: Any) -> tuple[int, ...]:
    """Return the colour that an image processor turns into zeros, or nearly so."""
    return tuple(round(255 * share) for share in processor.image_mean)


def stop_cropping(processor: Any) -> Any:
    """Let an image processor resize a square picture to the size of its cut, and cut nothing.

    (CLIP's resizes the shorter side to what it cuts; ConvNeXt's, which ResNet-50 has, cuts `crop_pct` of each side.)
    """
    if getattr(processor, "crop_pct", None) is not None:
        processor.crop_pct = 1.0
    if getattr(processor, "do_center_crop", False):
        processor.size, processor.do_center_crop = processor.crop_size, False
    return processor
