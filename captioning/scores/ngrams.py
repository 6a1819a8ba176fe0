"""Counts n-grams of one to four words, which BLEU and CIDEr compare."""

from collections import Counter
from itertools import chain

ORDERS = (1, 2, 3, 4)
Ngram = tuple[str, ...]


def count_ngrams(text: str) -> Counter[Ngram]:
    """Count the n-grams of one to four words in a tokenized text.

    >>> count_ngrams("red red dress")[("red",)]
    2
    >>> [" ".join(ngram) for ngram in count_ngrams("red red dress")]
    ['red', 'dress', 'red red', 'red dress', 'red red dress']
    """
    words = text.split()
    return Counter(chain.from_iterable(zip(*(words[start:] for start in range(n)), strict=False) for n in ORDERS))
