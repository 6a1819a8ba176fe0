"""What a reader of the report must know before any figure is used: what is drawn, small, or was done once."""

from collections.abc import Mapping, Sequence
from typing import Any

SAMPLE = "sample"  # the data set that is drawn
SMALL_CAPTIONERS = ("tiny-blip2-opt", "tiny-blip2-t5", "tiny-llava")  # models of package `sample`
SMALL_TAGGER = "tiny-stanza"


def list_limits(dataset: str, captioners: Sequence[str], params: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each limit of a study.

    >>> list_limits("boutique", ["tiny-llava"], {})[0]
    'tiny-llava was pre-trained on drawn garments alone: its captions of photographs show that the study runs.'

    Args:
        dataset: its name.
        captioners: their names.
        params: params.yaml.
    """
    once = "Each captioner was fine-tuned once, so what differs between captioners contains the chance of one training."
    if dataset == SAMPLE:
        drawn = (
            "The sample's garments are drawn and its customers are simulated: its figures show that the study works, "
            "and say nothing about real garments or shops."
        )
        return [drawn, once]
    small = [name for name in captioners if name in SMALL_CAPTIONERS]
    limits = []
    if small:
        was, their = ("was", "its") if len(small) == 1 else ("were", "their")
        limits.append(
            f"{' and '.join(small)} {was} pre-trained on drawn garments alone: {their} captions of photographs show "
            "that the study runs."
        )
    if params.get("caption_attributes", {}).get("tagger") == SMALL_TAGGER:
        limits.append(
            f"Attributes were found by {SMALL_TAGGER}, which learned the sample's sentences alone: their scores are "
            "not to be published."
        )
    return [*limits, once]
