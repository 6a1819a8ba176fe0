"""Markup in descriptions: what a browser shows of it, and no sign of a text without markup is lost."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.readers.markup import remove_markup

WORDS = st.lists(st.text(alphabet="abc äß<>&;!-", min_size=1, max_size=6).map(str.strip).filter(bool), max_size=6)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<p></p>", ""),
        ("<br/>", ""),
        ("&nbsp;", ""),
        ("A<br>B", "A B"),
        ("so<b>ft</b> cap", "soft cap"),
        ('<div class="a > b">red</div>', 'b">red'),  # as html allows no such sign in a tag here
        ("<style>p {color: red}</style>red<script>alert('<p>')</script>", "red"),
        ("<!-- hidden <p> -->red", "red"),
        ("red<style>p {color: red}", "red"),
        ("red<svg viewBox='0'><title>icon</title></svg> dress<noscript>on</noscript>", "red dress"),
        ("<![CDATA[<p>red</p>]]>", "red"),
        ("red_x000D_dress", "red dress"),
        ("&lt;p&gt;red &amp;amp; blue&lt;/p&gt;", "red & blue"),
        ("100&#37; wool &#x26; silk", "100% wool & silk"),
        ("<P STYLE='x'>red</P >", "red"),
    ],
)
def test_markup_leaves_what_a_browser_shows(text: str, shown: str) -> None:
    assert " ".join(remove_markup(text).split()) == shown


@pytest.mark.parametrize(
    "text", ["size < 5 & > 3", "<3 it", "a <unknown> b", "AT&T; &", "R&D;x", "&notaname;", "M<L", "C&A", "fish & chips"]
)
def test_what_is_no_markup_stays(text: str) -> None:
    assert remove_markup(text) == text


@given(WORDS)
def test_escaped_words_in_tags_come_back(words: list[str]) -> None:
    plain = " ".join(words)
    if remove_markup(plain) == plain:
        page = "<ul>" + "".join(f"<li>{html.escape(word)}</li>" for word in words) + "</ul>"
        assert remove_markup(page).split() == plain.split()
