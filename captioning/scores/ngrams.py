"""The n-grams of one to four words that BLEU and CIDEr count."""

from collections import Counter
from itertools import chain

ORDERS = (1, 2, 3, 4)
Ngram = tuple[str, ...]


def count_ngrams(text: str) -> Counter[Ngram]:
    """How often each n-gram of one to four words occurs in a tokenized text."""
    words = text.split()
    return Counter(chain.from_iterable(zip(*(words[start:] for start in range(n)), strict=False) for n in ORDERS))
