"""The text variants of a study: the catalogue that each describes, and the sources of its words."""

from typing import Literal, get_args

Catalogue = Literal["original", "all"]
Text = Literal[
    "original", "augmented", "augmented-pt", "unfilled", "masked-reference", "masked-ft", "masked-pt", "masked-none"
]

# Where the words of an item come from: none, its description (own; reference in a masked text), the pre-trained
# captioner, the fine-tuned captioner. In the order in which recsys.features encodes them: fine-tuned captions last.
Source = Literal["none", "own", "reference", "pt", "ft"]
SOURCES: tuple[Source, ...] = get_args(Source)
SHOP_SOURCES: tuple[Source, ...] = ("own", "reference")
CAPTIONER_SOURCES: tuple[Source, ...] = ("pt", "ft")

# text -> the catalogue whose items it describes
CATALOGUE_OF: dict[str, Catalogue] = {
    "original": "original",
    "augmented": "all",
    "augmented-pt": "all",
    "unfilled": "all",
    "masked-reference": "original",
    "masked-ft": "original",
    "masked-pt": "original",
    "masked-none": "original",
}

# text -> the source of a test item's words (masked texts), or of the words of an item without description (the others)
SOURCE_OF: dict[str, Source] = {
    "original": "none",
    "augmented": "ft",
    "augmented-pt": "pt",
    "unfilled": "none",
    "masked-reference": "reference",
    "masked-ft": "ft",
    "masked-pt": "pt",
    "masked-none": "none",
}

_MASKED = "masked-"


def name_filled_text(source: str) -> str:
    """Return the text in which captions of this variant fill missing descriptions.

    >>> name_filled_text("ft"), name_filled_text("pt")
    ('augmented', 'augmented-pt')
    """
    return "augmented" if source == "ft" else f"augmented-{source}"


def name_masked_text(source: str) -> str:
    """Return the text in which the descriptions of test items are replaced by words of this source.

    >>> name_masked_text("ft")
    'masked-ft'
    """
    return _MASKED + source


def is_masked(text: str) -> bool:
    """Tell whether a text replaces the descriptions of test items, so that only captions differ between two such texts.

    >>> is_masked("masked-none"), is_masked("unfilled")
    (True, False)
    """
    return text.startswith(_MASKED)


def is_written_by_captioner(source: str) -> bool:
    """Tell whether words of this source are captions.

    >>> is_written_by_captioner("pt"), is_written_by_captioner("own")
    (True, False)
    """
    return source in CAPTIONER_SOURCES
