"""The settings of an extractor: the sample's models, and three rows a batch."""

from types import ModuleType
from typing import Any

MODELS = {"resnet50": "efficientnet-lite0", "sbert": "minilm", "resbert": "minilm", "clip": "tiny-clip"}


def settings_of(module: ModuleType, **changes: Any) -> Any:
    """The module's settings, with these changes."""
    name = module.__name__.rpartition(".")[2]
    values = {"model": MODELS[name], "batch_size": 3, "precision": "fp32", "reduce": "none"}
    own = {"image_size": 64} if name == "resnet50" else {}
    return module.Settings(**(values | own | changes))
