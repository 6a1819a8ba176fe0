"""The figure of examples: words stay whole and in order, marks stand where they belong, and hostile texts fit."""

import io

import pytest
from PIL import Image

from lookbook.reporting.charts.style import COLUMN, PAGE
from lookbook.reporting.page.examples import MOST_LINES, chart_examples, wrap_words
from lookbook.reporting.page.garments import Garment
from lookbook.reporting.page.marking import Marked, Part, mark_caption
from tests.helpers.hostile import HOSTILE

SPANS = [{"attribute": "relaxed-fit", "start": 2, "end": 13}, {"attribute": "hood", "start": 27, "end": 31}]
CAPTION = "a relaxed-fit t-shirt with hood"


def make_garment(description: str = "a relaxed-fit T-shirt", caption: str = CAPTION) -> Garment:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 64), (180, 30, 30)).save(buffer, "JPEG")
    marked = mark_caption(caption, SPANS, ["relaxed-fit"])
    captions = {"tiny": {"pt": Marked([Part(caption)], []), "ft": marked}}
    return Garment("0000000001", "shirt", "red", description, buffer.getvalue(), captions)


@pytest.mark.parametrize("width", [0.2, 0.6, 1.5, 9.0])
def test_lines_hold_every_word_in_order_within_the_width(width: float) -> None:
    parts = mark_caption(CAPTION, SPANS, ["relaxed-fit"]).parts
    lines = wrap_words(parts, width)
    assert all(word.left + word.width <= width + 1e-9 for line in lines for word in line)
    said = "".join(word.text for line in lines for word in line)
    if len(lines) < MOST_LINES:
        assert said == CAPTION.replace(" ", "")
        kinds = {word.text: word.kind for line in lines for word in line}
        assert kinds["hood"] == "invented"
    if width >= 0.6:
        assert [word.text for line in lines for word in line if word.kind == "right"] == ["relaxed-fit"]


def test_a_word_of_two_parts_is_not_broken_between_them() -> None:
    for width in (0.5, 0.8, 1.1):
        texts = [[word.text for word in line] for line in wrap_words([Part("a t", ""), Part("-shirt", "right")], width)]
        assert texts[-1][-2:] == ["t", "-shirt"]


def test_a_long_text_ends_in_an_ellipsis() -> None:
    lines = wrap_words([Part("word " * 200)], 1.0)
    assert len(lines) == MOST_LINES
    assert lines[-1][-1].text == "…"


@pytest.mark.parametrize("width", [COLUMN, PAGE])
def test_the_figure_is_drawn_twice_alike_with_its_table(width: float) -> None:
    chart, again = (chart_examples([make_garment()] * 5, "tiny") for _ in range(2))
    assert chart is not None
    assert again is not None
    assert chart.render(["svg"], width) == again.render(["svg"], width)
    rows = chart.frame[chart.frame["variant"] == "ft"].to_dict("records")
    assert {key: rows[0][key] for key in ("caption", "right", "invented", "missed")} == {
        "caption": CAPTION,
        "right": "relaxed-fit",
        "invented": "hood",
        "missed": "",
    }


def test_hostile_texts_are_drawn() -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in HOSTILE]  # as Parquet holds them
    chart = chart_examples([make_garment(text, text) for text in texts], "tiny")
    assert chart is not None
    assert chart.render(["svg"], PAGE)["svg"]


def test_no_garment_is_no_figure() -> None:
    assert chart_examples([], "tiny") is None
