"""Ratings to CSV and back: no row and no character is lost, and conflicts are refused."""

import csv
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookbook.ratings.exchange import export_ratings, import_ratings
from lookbook.ratings.store import Store, create_store
from lookbook.ratings.tables import TABLES, Answer, Note, read_table, write_table
from pipeline.core.errors import UserError
from tests.helpers.repository import ROOT
from tests.lookbook.ratings.test_store import HOSTILE, judge

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
notes = st.builds(Note, texts, texts, texts, st.integers(1, 99), texts)


def make_store(folder: Path) -> Store:
    return create_store(folder / "ratings.sqlite", "sample")[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "one")


def fill(store: Store) -> None:
    for number, text in enumerate(HOSTILE):
        store.save_judgement(judge(f"{number}", left_text=text, seconds=0.1 * number))
        store.save_note("ann", f"{number}", text, 0)
    store.save_answer(Answer("r", "ann", "role", "buyer"))
    store.save_look("r", "ann", 40)


@given(st.lists(notes, max_size=6, unique_by=lambda note: note[:2]))
@settings(max_examples=25, deadline=None)
def test_a_table_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Note]) -> None:
    path = tmp_path_factory.mktemp("table") / "notes.csv"
    write_table(path, TABLES["note"], rows)
    assert read_table(path, TABLES["note"]) == sorted(rows, key=lambda note: note[:2])


def test_exported_files_are_sorted_and_the_same_bytes_each_time(store: Store, tmp_path: Path) -> None:
    fill(store)
    counts = export_ratings(store, tmp_path)
    assert counts == {"judgements.csv": 12, "notes.csv": 12, "answers.csv": 1, "looks.csv": 1}
    before = {file: (tmp_path / file).read_bytes() for file in counts}
    assert export_ratings(store, tmp_path) == counts
    assert {file: (tmp_path / file).read_bytes() for file in counts} == before
    rows = read_table(tmp_path / "judgements.csv", TABLES["judgement"])
    assert rows == sorted(rows)
    assert before["judgements.csv"].startswith(b'"round","rater","item_id","again","question","left"')
    assert b'"ann","5","=1+1",1,' in before["notes.csv"]  # data, not a formula: it is written as it is


def test_a_clone_without_the_store_loses_nothing(store: Store, tmp_path: Path) -> None:
    fill(store)
    export_ratings(store, tmp_path / "git")
    before = {path.name: path.read_bytes() for path in (tmp_path / "git").iterdir()}
    clone = make_store(tmp_path / "clone")
    clone.save_judgement(judge("new", rater="bob"))
    export_ratings(clone, tmp_path / "git")
    rows = read_table(tmp_path / "git" / "judgements.csv", TABLES["judgement"])
    assert len(rows) == 13
    (tmp_path / "git" / "judgements.csv").unlink()
    export_ratings(store, tmp_path / "git")  # the other clone's row is gone with the file
    assert {path.name: path.read_bytes() for path in (tmp_path / "git").iterdir()} == before
    assert clone.read_note("ann", "7") == store.read_note("ann", "7")


def test_what_was_taken_back_does_not_return_from_the_files(store: Store, tmp_path: Path) -> None:
    for item in ("1", "2"):
        store.save_judgement(judge(item))
    export_ratings(store, tmp_path)
    store.take_back("r", "ann")
    assert export_ratings(store, tmp_path)["judgements.csv"] == 1
    store.save_judgement(judge("2", verdict="bad"))
    assert export_ratings(store, tmp_path)["judgements.csv"] == 2
    assert [row.verdict for row in store.list_judgements("r")] == ["left", "bad"]


def test_two_laboratories_merge_their_files(store: Store, tmp_path: Path) -> None:
    other = make_store(tmp_path / "other")
    for number in range(3):
        store.save_judgement(judge(f"{number}"))
        other.save_judgement(judge(f"{number}", rater="bob"))
    other.save_judgement(judge("0", seconds=9.0, at="later"))  # the same judgement, which came by file
    export_ratings(other, tmp_path / "other")
    assert import_ratings(store, tmp_path / "other" / "judgements.csv") == 3
    assert import_ratings(store, tmp_path / "other" / "judgements.csv") == 0
    assert import_ratings(store, tmp_path / "other" / "notes.csv") == 0
    assert len(store.list_judgements("r")) == 6


def test_a_judgement_that_differs_is_refused_and_nothing_is_imported(store: Store, tmp_path: Path) -> None:
    store.save_judgement(judge("1"))
    rows = [judge("0"), judge("1", verdict="right"), judge("2")]
    write_table(tmp_path / "judgements.csv", TABLES["judgement"], rows)
    with pytest.raises(UserError, match=r"1 rows differ from .*: r ann 1 0 better; nothing was imported"):
        import_ratings(store, tmp_path / "judgements.csv")
    assert store.list_judgements("r") == [judge("1")]


def test_the_newer_note_stays_and_the_history_has_both(store: Store, tmp_path: Path) -> None:
    mine = store.save_note("ann", "1", "mine", 0)
    newer, older = Note("ann", "1", "newer", 3, "t"), Note("ann", "1", "older", 2, "t")
    for note, imported in ((newer, 1), (older, 0), (newer, 0)):
        write_table(tmp_path / "notes.csv", TABLES["note"], [note])
        assert import_ratings(store, tmp_path / "notes.csv") == imported
    assert store.read_note("ann", "1") == newer
    assert store.list_versions("ann", "1") == [mine, older, newer]
    write_table(tmp_path / "notes.csv", TABLES["note"], [newer._replace(text="another third")])
    with pytest.raises(UserError, match="1 rows differ"):
        import_ratings(store, tmp_path / "notes.csv")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows[0].pop(), "is the header of no table of ratings; must be one of: judgements.csv: round,"),
        (lambda rows: rows[1].pop(), "record 2 has 13 values; must have 14"),
        (
            lambda rows: rows[1].__setitem__(7, "best"),
            "record 2: verdict: 'best' is not allowed; must be one of: l",
        ),
        (lambda rows: rows[1].__setitem__(3, "x"), "record 2: again: 'x' is no int"),
        (lambda rows: rows[1].__setitem__(8, "long"), "record 2: seconds: 'long' is no float"),
        (lambda rows: rows.append(rows[1]), "two rows with the key r, ann, 1, 0, better; keep one of them"),
    ],
)
def test_a_file_with_errors_is_refused(change, problem: str, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "judgements.csv"
    write_table(path, TABLES["judgement"], [judge("1")])
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(UserError) as raised:
        import_ratings(store, path)
    assert str(raised.value).startswith(f"{path}: ")
    assert problem in str(raised.value)


def test_an_empty_or_binary_file_is_refused(store: Store, tmp_path: Path) -> None:
    for content in (b"", b"\xff\xfe\x00rater"):
        (tmp_path / "judgements.csv").write_bytes(content)
        with pytest.raises(UserError):
            import_ratings(store, tmp_path / "judgements.csv")
    with pytest.raises(UserError, match="no such file"):
        import_ratings(store, tmp_path / "absent.csv")


def test_the_files_that_ship_are_headers(tmp_path: Path) -> None:
    for table in TABLES.values():
        shipped = ROOT / "ratings" / table.file
        shutil.copy(shipped, tmp_path)
        assert read_table(tmp_path / table.file, table) == []
