"""What counts as an attribute in tests that do not ask for anything else."""

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
