"""A cell by its command line: its catalogue, its features, its name."""

from pathlib import Path

import numpy as np
import pytest

from features.files import write_columns, write_features
from pipeline.core.errors import UserError
from recsys.fitting.cells import Cell, find_cell_rows, parse_cell


@pytest.mark.parametrize(
    ("words", "cell", "arm", "name", "features"),
    [
        ("--recommender itemknn --catalogue all", Cell("itemknn", "all"), "all", "itemknn", None),
        (
            "--recommender vbpr --catalogue original --features resnet50",
            Cell("vbpr", "original", None, "resnet50"),
            "original",
            "vbpr-resnet50",
            Path("data/features/image/resnet50"),
        ),
        (  # the text and the catalogue of one name
            "--recommender vbpr --text original --features sbert",
            Cell("vbpr", "original", "original", "sbert"),
            "original",
            "vbpr-sbert",
            Path("data/features/text/original/sbert"),
        ),
        (
            "--recommender vbpr --text augmented --features clip",
            Cell("vbpr", "all", "augmented", "clip"),
            "augmented",
            "vbpr-clip",
            Path("data/features/text/augmented/clip"),
        ),
    ],
)
def test_a_command_line_names_a_cell(words: str, cell: Cell, arm: str, name: str, features: Path | None) -> None:
    parsed = parse_cell("recsys.fit", "", words.split())
    assert parsed == cell
    assert (parsed.arm, parsed.name, parsed.features_folder(Path("data/features"))) == (arm, name, features)


def test_an_unknown_text_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean masked-ft"):
        parse_cell("recsys.fit", "", ["--recommender", "vbpr", "--text", "masked-fd", "--features", "words"])


@pytest.mark.parametrize("words", ["--recommender bpr", "--recommender bpr --catalogue all --text original"])
def test_a_cell_is_of_a_catalogue_or_of_a_text(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_cell("recsys.fit", "", words.split())
    assert "--catalogue" in capsys.readouterr().err


def test_the_rows_of_a_cell_say_which_columns_are_the_pictures(tmp_path: Path) -> None:
    cell = Cell("freedom", "original", "original", "resbert")
    write_features(tmp_path / "text/original/resbert", ["a", "b"], np.arange(6.0).reshape(2, 3))
    rows = find_cell_rows(cell, tmp_path, ["b"])
    assert rows is not None
    assert rows.n_pictures == 0
    write_columns(tmp_path / "text/original/resbert", 2)
    rows = find_cell_rows(cell, tmp_path, ["b"])
    assert rows is not None
    assert rows.n_pictures == 2
