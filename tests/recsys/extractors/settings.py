"""The settings of an extractor: the sample's models, and three rows a batch."""

from types import ModuleType
from typing import Any

from PIL import Image

MODELS = {"resnet50": "efficientnet-lite0", "sbert": "minilm", "resbert": "minilm", "clip": "tiny-clip"}


def settings_of(module: ModuleType, **changes: Any) -> Any:
    """The module's settings, with these changes."""
    name = module.__name__.rpartition(".")[2]
    values = {"model": MODELS[name], "batch_size": 3, "precision": "fp32", "reduce": "none"}
    own = {"resnet50": {"image_size": 64, "square": "own"}, "clip": {"square": "own"}}.get(name, {})
    return module.Settings(**(values | own | changes))


def portraits() -> dict[str, Image.Image]:
    """Return two pictures of 64 × 96 that differ in the tenth at each end alone: black in one, red in the other."""
    pictures = {}
    for name, colour in (("a", "black"), ("b", "red")):
        picture = Image.new("RGB", (64, 96), "white")
        for top in (0, 87):
            picture.paste(colour, (0, top, 64, top + 9))
        pictures[name] = picture
    return pictures
