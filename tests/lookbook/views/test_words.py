"""Marks of captions: the text stays whole whatever the spans, and what two texts share is shared."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lookbook.views.words import compare_texts, mark_caption

spans = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 30)), max_size=6)


@given(st.text(max_size=25), spans, st.lists(st.sampled_from("abcd")))
def test_segments_are_the_text_whatever_the_spans(
    text: str, places: list[tuple[str, int, int]], true: list[str]
) -> None:
    keys = ("attribute", "start", "end")
    found: dict[str, Any] = {"attributes": [dict(zip(keys, place, strict=True)) for place in places]}
    words = mark_caption(text, found, true)
    assert "".join(segment.text for segment in words.segments) == text
    named = {place[0] for place in places}
    assert set(words.right) == named & set(true)
    assert set(words.invented) == named - set(true)
    assert set(words.missed) == set(true) - named


def test_a_caption_without_words_or_reference_is_unmarked() -> None:
    assert [segment.kind for segment in mark_caption("a dress", None, ["dress"]).segments] == [""]
    assert [segment.kind for segment in mark_caption("a dress", {"attributes": None}, None).segments] == [""]


@given(st.text(max_size=30), st.text(max_size=30))
def test_compared_texts_stay_whole_and_share_what_is_unmarked(a: str, b: str) -> None:
    left, right = compare_texts(a, b)
    assert ("".join(s.text for s in left), "".join(s.text for s in right)) == (a, b)
    assert "".join(s.text for s in left if not s.kind) == "".join(s.text for s in right if not s.kind)
