"""Settings of the tagger for tests."""

from captioning.tagging.settings import CaptionAttributes

SETTINGS = CaptionAttributes(
    tagger="tiny-stanza",
    package="default",
    unit="lemma",
    hyphen="space",
    participles=True,
    corpus="train",
    colour=True,
    min_count=1,
)
