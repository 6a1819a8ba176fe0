"""The store of ratings with many writers, a process that is killed, two tabs, and every kind of text."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookbook.ratings.store import NoteConflictError, NotSavedError, Store, create_store
from lookbook.ratings.tables import Answer, Judgement
from pipeline.core.errors import UserError
from tests.helpers.repository import ROOT

HOSTILE = [
    "<script>alert(1)</script>",
    "**bold** [a](b) `c`",
    "\\input{x} $y$ 100 % #1 & _ ^ ~",
    "\u202eright to left\u202c",
    "x" * 10_000,
    "=1+1",
    "'; DROP TABLE judgement; --",
    'a "quote", a comma\nand\r\nlines\r',
    "\x00\x1b[31m",
    "\udcff half a surrogate",
    "👗 Größe",
    "",
]
WRITER = """
import sys
from pathlib import Path
from lookbook.ratings.store import Store
from lookbook.ratings.tables import Judgement
store, rater = Store(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
for number in range(int(sys.argv[3])):
    row = Judgement("r", rater, f"{number:04}", 0, "better", "x-ft", "x-pt", "left", 1.5, "", "", "l" * 2000, "", "t")
    store.save_judgement(row)
print("done", flush=True)
"""


def judge(item: str = "1", verdict: str = "left", **changes: object) -> Judgement:
    row = Judgement("r", "ann", item, 0, "better", "x-ft", "x-pt", verdict, 2.5, "0", "1", "a", "b", f"t{item}")
    return row._replace(**changes)  # type: ignore[arg-type]


def start_writer(path: Path, rater: str, n: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), rater, str(n)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def count_rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT count(*) FROM judgement").fetchone()[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    own, sentence = create_store(tmp_path / "ratings" / "ratings.sqlite", "sample")
    assert sentence == ""
    return own


def test_the_file_has_a_write_ahead_log(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(("processes", "n"), [(2, 20), pytest.param(4, 200, marks=pytest.mark.slow)])
def test_processes_that_write_at_once_lose_nothing(processes: int, n: int, store: Store) -> None:
    writers = [start_writer(store.path, f"rater {number}", n) for number in range(processes)]
    for writer in writers:
        out, _ = writer.communicate(timeout=300)
        assert (writer.returncode, out) == (0, "ready\ndone\n")
    assert count_rows(store.path) == processes * n
    assert {len(store.list_judgements("r", f"rater {number}")) for number in range(processes)} == {n}


def test_what_a_killed_process_was_writing_is_whole_or_absent(store: Store) -> None:
    writer = start_writer(store.path, "ann", 100_000)
    assert writer.stdout is not None
    writer.stdout.readline()
    while not store.list_judgements("r"):
        assert writer.poll() is None
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    rows = store.list_judgements("r")
    assert count_rows(store.path) == len(rows) > 0
    assert [row.item_id for row in rows] == [f"{number:04}" for number in range(len(rows))]
    assert {(row.left_text, row.at) for row in rows} == {("l" * 2000, "t")}
    store.save_judgement(judge("after"))
    assert count_rows(store.path) == len(rows) + 1


def test_a_second_answer_to_the_same_pair_is_the_same_row(store: Store) -> None:
    store.save_judgement(judge(verdict="left"))
    store.save_judgement(judge(verdict="left"))
    store.save_judgement(judge(verdict="good"))
    store.save_judgement(judge(rater="bob"))
    store.save_judgement(judge(again=1))
    assert [row.verdict for row in store.list_judgements("r", "ann")] == ["good", "left"]
    assert len(store.list_judgements("r")) == 3


def test_the_last_judgement_of_a_rater_can_be_taken_back(store: Store) -> None:
    for row in (judge("1"), judge("2"), judge("3", rater="bob")):
        store.save_judgement(row)
    assert store.take_back("r", "ann") == judge("2")
    assert [row.item_id for row in store.list_judgements("r")] == ["1", "3"]
    assert store.take_back("r", "ann") == judge("1")
    assert store.take_back("r", "ann") is None
    assert store.take_back("other", "bob") is None


def test_of_two_tabs_the_second_sees_both_texts_and_nothing_is_lost(store: Store) -> None:
    first = store.save_note("ann", "1", "too long", 0)
    assert (first.version, store.read_note("ann", "1")) == (1, first)
    second = store.save_note("ann", "1", "too long, and wrong", first.version)
    with pytest.raises(NoteConflictError) as raised:
        store.save_note("ann", "1", "what the other tab has", first.version)
    assert (raised.value.theirs, raised.value.yours) == (second, "what the other tab has")
    with pytest.raises(NoteConflictError):
        store.save_note("ann", "1", "a tab that saw no note", 0)
    assert store.read_note("ann", "1") == second
    third = store.save_note("ann", "1", "both", raised.value.theirs.version)
    assert store.list_versions("ann", "1") == [first, second, third]
    assert store.read_note("bob", "1") is None
    assert store.list_notes("ann") == [third]


def test_a_note_that_is_no_longer_there_is_a_conflict(store: Store) -> None:
    with pytest.raises(NoteConflictError) as raised:
        store.save_note("ann", "1", "mine", 4)
    assert (raised.value.theirs.text, raised.value.theirs.version) == ("", 0)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_comes_back_as_it_was(text: str, store: Store) -> None:
    kept = text.encode("utf-8", "replace").decode()
    store.save_note(text, text, text, 0)
    note = store.read_note(text, text)
    assert note is not None
    assert note[:3] == (kept, kept, kept)
    store.save_judgement(judge(text, rater=text, left_text=text))
    assert store.list_judgements("r", text)[0].left_text == kept
    store.save_answer(Answer("r", text, "role", text))
    assert store.list_answers("r", text) == {"role": kept}
    assert store.take_seat(text, text) == 0
    assert store.take_back("r", text) is not None


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.text(max_size=5)), max_size=12))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_notes_are_as_a_dictionary_with_versions(store: Store, writes: list[tuple[str, int, str]]) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("DELETE FROM note")
        connection.commit()
    expected: dict[str, tuple[str, int]] = {}
    for item, version, text in writes:
        stored = expected.get(item, ("", 0))
        if version == stored[1]:
            assert store.save_note("ann", item, text, version).version == version + 1
            expected[item] = (text, version + 1)
        else:
            with pytest.raises(NoteConflictError):
                store.save_note("ann", item, text, version)
    assert {note.item_id: (note.text, note.version) for note in store.list_notes("ann")} == expected


def test_raters_keep_their_seats(store: Store) -> None:
    assert [store.take_seat("r", rater) for rater in ("ann", "bob", "ann", "cy", "bob")] == [0, 1, 0, 2, 1]
    assert store.take_seat("another", "bob") == 0


def test_looks_are_recorded(store: Store) -> None:
    store.save_look("r", "ann", 40)
    store.save_look("r", "ann", 60)
    assert [(look.rater, look.decided) for look in store.list_looks("r")] == [("ann", 40), ("ann", 60)]
    assert store.list_looks("other") == []


def test_a_file_of_another_study_is_refused(store: Store) -> None:
    again, sentence = create_store(store.path, "sample")
    assert (again.path, sentence) == (store.path, "")
    with pytest.raises(UserError, match="study_dataset is sample, this study's is hm; move the file away"):
        create_store(store.path, "hm")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ratings.sqlite").write_text("rater,item_id\n" * 200)
    with pytest.raises(UserError, match="move it away"):
        create_store(tmp_path / "ratings.sqlite", "sample")


def test_a_write_that_waits_in_vain_says_that_nothing_is_saved(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookbook.ratings.store.PATIENCE", 0.05)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotSavedError, match="not saved, your text is still here"):
            store.save_judgement(judge())
        assert store.list_judgements("r") == []  # readers do not wait
        other.execute("ROLLBACK")
    store.save_judgement(judge())
    assert len(store.list_judgements("r")) == 1
