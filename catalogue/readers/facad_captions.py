"""Which description a caption was cut from: the one whose first words share most with it.

FACAD's published test captions come without keys. Equal to a comparison of every caption with every description
(overlap of the caption's words with as many first words of the description, the earliest of the best), by an index of
words: for each word of a caption, the descriptions that have it early enough count one more.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

COMMON = 1 / 16  # a word in a larger share of the descriptions is kept as a row of marks, not as a list of numbers


class Descriptions:
    """An index of the words of many descriptions, lower-cased, split at white space."""

    def __init__(self, descriptions: Sequence[str]) -> None:
        places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, description in enumerate(descriptions):
            first: dict[str, int] = {}
            for place, word in enumerate(description.lower().split()):
                first.setdefault(word, place)
            for word, place in first.items():
                places[word].append((number, place))
        self._size = len(descriptions)
        self._of_word = {word: np.array(found, dtype=np.int32) for word, found in places.items()}  # (n, 2), by number
        self._cached: dict[tuple[str, int], np.ndarray] = {}  # common words come with every length again and again

    def best(self, caption: str) -> tuple[int, float]:
        """The number of the description with the largest overlap and the overlap, 0 to 1; -1 and 0 where none shares a word."""
        words = caption.lower().split()
        distinct = dict.fromkeys(words)
        shared: np.ndarray = np.zeros(self._size, np.uint8 if len(distinct) < 256 else np.uint32)
        for word in distinct:
            found = self._within(word, len(words))
            if found.dtype == np.uint8:
                shared += found
            else:
                shared[found] += 1
        if not shared.any():
            return -1, 0.0
        best = int(np.argmax(shared))  # the earliest of the largest
        return best, float(shared[best] / len(distinct))

    def _within(self, word: str, length: int) -> np.ndarray:
        """Descriptions with the word among their first `length`: their numbers, or a mark for each, (n,) uint8."""
        if (word, length) not in self._cached:
            found = self._of_word.get(word, np.empty((0, 2), np.int32))
            numbers = found[found[:, 1] < length, 0]
            if len(numbers) > COMMON * self._size:
                marks = np.zeros(self._size, np.uint8)
                marks[numbers] = 1
                numbers = marks
            self._cached[word, length] = numbers
        return self._cached[word, length]
