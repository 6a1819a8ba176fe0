"""Round files: written as read, and every error at once."""

from pathlib import Path

import pytest

from lookbook.ratings.rounds import QUESTIONS, Round, list_arms, read_round, read_rounds, write_round
from pipeline.core.errors import UserError

CAPTIONERS = ["tiny-llava", "tiny-blip2-opt"]
ROUND = Round(a="tiny-llava-ft", b="tiny-llava-pt")


def write(folder: Path, text: str, name: str = "first") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "own",
    [
        ROUND,
        Round(a="reference", b="tiny-llava-pt", others=["tiny-llava-ft", "tiny-blip2-opt-ft"], overlap=30, raters=3),
        Round(a="tiny-llava-ft", b="tiny-llava-pt", questions=list(QUESTIONS), show_reference=True, repeats=0.25),
    ],
)
def test_a_round_is_read_as_it_was_written(own: Round, tmp_path: Path) -> None:
    path = write_round(tmp_path, "first", own)
    assert read_round(path, CAPTIONERS) == own
    assert read_rounds(tmp_path, CAPTIONERS) == {"first": own}


def test_two_arms_are_enough_for_a_round(tmp_path: Path) -> None:
    assert read_round(write(tmp_path, "a: tiny-llava-ft\nb: tiny-llava-pt\n"), CAPTIONERS) == ROUND


def test_all_errors_come_at_once(tmp_path: Path) -> None:
    text = "a: tiny-lava-ft\nquestions: [nicer]\nitem: 5\nseed: 1.5\noverlap: some\nrepeats: 0.9\n"
    with pytest.raises(UserError) as raised:
        read_round(write(tmp_path, text, "First Round"), CAPTIONERS)
    message = str(raised.value)
    assert message.startswith(f"{tmp_path}/First Round.yaml: ")
    for part in (
        "b: missing; give an arm",
        "item: unknown key; did you mean items?",
        "questions.0: 'nicer' is not allowed",
        "'better', 'right', 'complete' or 'reads-well'",
        "seed: 1.5 is not allowed",
        "overlap: 'some' is not allowed",
        "repeats: 0.9 is not allowed; input should be less than or equal to 0.5",
        "'tiny-lava-ft' is no known arm of this study; must be one of: tiny-llava-ft",
        "did you mean tiny-llava-ft?",
        "small letters, digits and hyphens",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: reference\nb: reference\n", "the arms must differ"),
        ("a: tiny-llava-ft\nb: reference\nshow_reference: true\n", "show which caption is the reference"),
        ("a: tiny-llava-ft\nb: tiny-llava-pt\nquestions: []\n", "at least one of better"),
        ("a: tiny-llava-ft\nb: tiny-llava-pt\nquestions: [right, right]\n", "each at most once"),
    ],
)
def test_rounds_that_make_no_sense_are_refused(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=problem):
        read_round(write(tmp_path, text), CAPTIONERS)


def test_a_round_is_never_written_over(tmp_path: Path) -> None:
    path = write_round(tmp_path, "first", ROUND)
    before = path.read_bytes()
    with pytest.raises(UserError, match="there is such a round already"):
        write_round(tmp_path, "first", Round(a="reference", b="tiny-llava-ft"))
    assert path.read_bytes() == before
    with pytest.raises(UserError, match="no name of a round"):
        write_round(tmp_path, "../first", ROUND)


def test_arms_are_variants_of_captioners_and_the_reference() -> None:
    assert list_arms(["x"]) == ["x-ft", "x-pt", "reference"]
