"""The section `caption_attributes` of params.yaml: what counts as an attribute of a text."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.params import Section


class CaptionAttributes(Section):
    """Section `caption_attributes`."""

    tagger: str  # Stanza's `dir`: a folder under data/models/, or a link to one
    package: Annotated[str, Field(min_length=1)]  # which of the models there, by Stanza's name
    unit: Literal["lemma", "form"]
    hyphen: Literal["space", "join"]
    participles: bool
    corpus: Literal["train", "all"]
    colour: bool
    min_count: Annotated[int, Field(ge=1)]
