"""The switches of what counts as an attribute (DESIGN.md 5.3)."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params import Section


class CaptionAttributes(Section):
    """Section `caption_attributes`."""

    tagger: str  # a folder under data/models/ with a Stanza pipeline
    unit: Literal["lemma", "form"]
    hyphen: Literal["space", "join"]
    participles: bool
    corpus: Literal["train", "all"]
    colour: bool
    min_count: Annotated[int, Field(ge=1)]
