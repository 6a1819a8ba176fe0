"""`lookbook ratings new | export | import` in a small study."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lookbook.cli.main import app
from lookbook.ratings.rounds import read_round
from lookbook.ratings.store import PATH, create_store
from lookbook.ratings.tables import TABLES, Judgement, read_table, write_table

JUDGEMENT = Judgement("first", "ann", "1", 0, "better", "x-ft", "x-pt", "left", 2.0, "0", "1", "a", "b", "t")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["ratings", *words])


def read_rows() -> list[Judgement]:
    return read_table(Path("ratings/judgements.csv"), TABLES["judgement"])


def test_a_new_round_compares_the_writers_captions_and_says_what_it_can_show(study: Path) -> None:
    result = run("new", "first", "--items", "97")
    assert result.exit_code == 0
    assert result.stdout.startswith("wrote ratings/rounds/first.yaml: commit it")
    assert "65 %: 97" in result.stdout
    assert "97 garments without ties can show 65% against 35%" in result.stdout
    own = read_round(Path("ratings/rounds/first.yaml"), ["tiny-blip2-opt"])
    assert (own.a, own.b, own.items) == ("tiny-blip2-opt-ft", "tiny-blip2-opt-pt", 97)
    assert run("new", "first").exit_code == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--a", "tiny-lava-ft"], "did you mean tiny-llava-ft?"),
        (["--question", "nicer"], "questions.0: 'nicer'"),
        (["--overlap", "most"], "overlap"),
        (["--a", "reference", "--b", "reference"], "the arms must differ"),
    ],
)
def test_a_wrong_round_is_refused_and_not_written(words: list[str], problem: str, study: Path) -> None:
    result = run("new", "first", *words)
    assert result.exit_code == 1
    assert problem in result.stderr
    assert not Path("ratings/rounds/first.yaml").exists()


def test_ratings_are_exported_and_imported(study: Path, tmp_path: Path) -> None:
    create_store(PATH, "sample")[0].save_judgement(JUDGEMENT)
    result = run("export")
    assert result.exit_code == 0
    assert "ratings/judgements.csv (1 rows)" in result.stdout
    other = tmp_path / "other.csv"
    write_table(other, TABLES["judgement"], [JUDGEMENT, JUDGEMENT._replace(rater="bob")])
    result = run("import", str(other))
    assert (result.exit_code, "1 new rows" in result.stdout) == (0, True)
    assert [row.rater for row in read_rows()] == ["ann", "bob"]


def test_an_import_that_contradicts_git_is_refused(study: Path, tmp_path: Path) -> None:
    write_table(Path("ratings/judgements.csv"), TABLES["judgement"], [JUDGEMENT])  # it came with git pull
    other = tmp_path / "other.csv"
    write_table(other, TABLES["judgement"], [JUDGEMENT._replace(verdict="right")])
    result = run("import", str(other))
    assert result.exit_code == 1
    assert "1 rows differ" in result.stderr
    assert read_rows() == [JUDGEMENT]
