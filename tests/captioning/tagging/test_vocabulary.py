"""The vocabulary that captions are scored by."""

from hypothesis import given
from hypothesis import strategies as st

from captioning.tagging.vocabulary import select_frequent

WORDS = st.sampled_from(["red", "blue", "shirt", "sleeve", "zip"])


@given(st.lists(st.lists(WORDS)), st.integers(1, 4))
def test_vocabulary_counts_documents_not_words(documents: list[list[str]], min_count: int) -> None:
    slow = [
        word
        for word in sorted({w for d in documents for w in d})
        if len([d for d in documents if word in d]) >= min_count
    ]
    assert select_frequent(documents, min_count) == slow
