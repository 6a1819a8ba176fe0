"""Tokenizes texts as COCO's caption evaluation does: Stanford's PTB tokenizer, lower case, without punctuation.

Equals pycocoevalcap 1.2, except that every text is tokenized as a line of its own. In pycocoevalcap the end of a line
can depend on the line after it ("5 in." before a capital letter), so that scores depend on the order of a file.
"""

from collections.abc import Sequence

from pycocoevalcap.tokenizer.ptbtokenizer import PUNCTUATIONS

from captioning.scores.java.process import Jvm

PORTION = 2000  # texts a call
DROPPED = frozenset(PUNCTUATIONS)


def tokenize(texts: Sequence[str], jvm: Jvm) -> dict[str, str]:
    """Tokenize each distinct text: text -> tokens joined by single spaces, "" where it has only punctuation."""
    distinct = sorted(set(texts))
    lines: list[str] = []
    for start in range(0, len(distinct), PORTION):
        portion = [text.replace("\n", " ") for text in distinct[start : start + PORTION]]
        lines += jvm.call("tokenize", work_seconds=0.02 * len(portion), texts=portion)
    return {
        text: " ".join(word for word in line.split(" ") if word not in DROPPED)
        for text, line in zip(distinct, lines, strict=True)
    }
