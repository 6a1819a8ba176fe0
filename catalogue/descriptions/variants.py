"""The text variants of a study: which catalogue each belongs to, and whose words it holds."""

from typing import Literal, get_args

Text = Literal["original", "augmented", "unfilled", "masked-reference", "masked-ft", "masked-pt", "masked-none"]


# text -> the catalogue whose items it describes
CATALOGUE_OF: dict[str, str] = {
    "original": "original",
    "augmented": "all",
    "unfilled": "all",
    "masked-reference": "original",
    "masked-ft": "original",
    "masked-pt": "original",
    "masked-none": "original",
}


# text -> where the words of a test item come from (masked-*), or of an item without description (the others)
SOURCE_OF = {"original": "none", "augmented": "ft", "unfilled": "none"} | {
    text: text.removeprefix("masked-") for text in get_args(Text) if "masked" in text
}
