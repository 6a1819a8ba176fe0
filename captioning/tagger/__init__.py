"""Which words of a text are attributes: tagging by Stanza, and the training of a small Stanza pipeline for it."""

from pathlib import Path
from typing import Any


def build(folder: Path, seed: int = 42, scale: float = 1.0) -> dict[str, Any]:
    """Trains the small pipeline into `folder`; see `captioning.tagger.training.build`, whose imports take seconds."""
    from captioning.tagger import training

    return training.build(folder, seed, scale)
