"""Finds the description from which a caption was cut, because FACAD's published test captions come without keys.

The overlap of a caption with a description is the number of different words of the caption among as many first words of
the description as the caption has words. The description with the largest overlap is taken, and the earliest of equals.
An index of words makes this linear: for each word of a caption, every description that has it early enough counts one
more.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

COMMON = 1 / 16  # a word in a larger share of the descriptions is kept as a row of marks, not as a list of numbers


class Descriptions:
    """An index of the words of many descriptions, lower-cased, split at white space."""

    def __init__(self, descriptions: Sequence[str]) -> None:
        positions: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, description in enumerate(descriptions):
            first: dict[str, int] = {}
            for position, word in enumerate(description.lower().split()):
                first.setdefault(word, position)
            for word, position in first.items():
                positions[word].append((number, position))
        self._size = len(descriptions)
        # word -> descriptions that hold it, and its first position in each: (n, 2), by number
        self._of_word = {word: np.array(pairs, dtype=np.int32) for word, pairs in positions.items()}
        self._cached: dict[tuple[str, int], np.ndarray] = {}  # common words come with every length again and again

    def find_best(self, caption: str) -> tuple[int, float]:
        """Find the number of the description with the largest overlap, and that overlap from 0 to 1.

        The overlap is divided by the number of different words of the caption. It is -1 and 0 where no description
        shares a word.

        >>> index = Descriptions(["a red dress with a belt", "a blue dress"])
        >>> index.find_best("blue dress")
        (1, 0.5)
        >>> index.find_best("a blue dress")
        (1, 1.0)
        >>> index.find_best("shoes")
        (-1, 0.0)
        """
        words = caption.lower().split()
        distinct = dict.fromkeys(words)
        shared: np.ndarray = np.zeros(self._size, np.uint8 if len(distinct) < 256 else np.uint32)
        for word in distinct:
            holders = self._find_within(word, len(words))
            if holders.dtype == np.uint8:
                shared += holders
            else:
                shared[holders] += 1
        if not shared.any():
            return -1, 0.0
        best = int(np.argmax(shared))  # the earliest of the largest
        return best, float(shared[best] / len(distinct))

    def _find_within(self, word: str, length: int) -> np.ndarray:
        """Find the descriptions with the word among their first `length`: their numbers, or marks (n,) of uint8."""
        if (word, length) not in self._cached:
            pairs = self._of_word.get(word, np.empty((0, 2), np.int32))
            numbers = pairs[pairs[:, 1] < length, 0]
            if len(numbers) > COMMON * self._size:
                marks = np.zeros(self._size, np.uint8)
                marks[numbers] = 1
                numbers = marks
            self._cached[word, length] = numbers
        return self._cached[word, length]
