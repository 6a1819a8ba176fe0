"""Texts from data: shown as they are, and unable to change what stands around them."""

import pytest

from lookbook.reporting.page.pages import TEMPLATES
from lookbook.reporting.rendering import make_environment
from lookbook.reporting.text import show_controls
from tests.helpers.hostile import HOSTILE

WORDS = make_environment(TEMPLATES).from_string('{% from "words.j2" import words %}{{ words(text) }}')


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_text(text: str) -> None:
    page = WORDS.render(text=text)
    inner = page.removeprefix('<bdi dir="auto" class="words">').removesuffix("</bdi>")
    assert not set(inner) & set("<>\"'\x00\x1b\u202e\u2066\u0085\ud800")
    page.encode("utf-8")


def test_ordinary_texts_stay_as_they_are() -> None:
    assert show_controls("Kleid mit Spitze, 100 % Baumwolle – فستان, 連衣裙, 👗") == (
        "Kleid mit Spitze, 100 % Baumwolle – فستان, 連衣裙, 👗"
    )
