"""Parses on disk: what was written is read, also after damage to the file or beside other processes."""

import sqlite3
import subprocess
import sys

import pytest

from captioning.scores.java.corenlp import cache_folder
from captioning.scores.java.parse_cache import ParseCache

PARSES = {"a red cap": [["cap"], ["cap", "red"]], "": [], "日本 \udcff\n": [["x", "y", "in"]]}


def test_what_was_written_is_read_also_by_the_next_process(tmp_path):
    with ParseCache("spice 1", tmp_path) as cache:
        assert cache.read(list(PARSES)) == {}
        cache.write(PARSES)
        assert cache.read(["a red cap", "unknown"]) == {"a red cap": PARSES["a red cap"]}
    with ParseCache("spice 1", tmp_path) as cache:
        assert cache.read(list(PARSES)) == PARSES
        assert cache.hits == len(PARSES)


def test_another_version_has_parses_of_its_own(tmp_path):
    with ParseCache("spice 1", tmp_path) as cache:
        cache.write(PARSES)
    with ParseCache("spice 2", tmp_path) as cache:
        assert cache.read(list(PARSES)) == {}


def test_a_damaged_file_is_made_again_with_a_warning(tmp_path, capsys):
    with ParseCache("spice 1", tmp_path) as cache:
        cache.write(PARSES)
        path = cache.path
    path.write_bytes(b"not a database" * 1000)
    with ParseCache("spice 1", tmp_path) as cache:
        assert "damaged" in capsys.readouterr().err
        assert cache.read(list(PARSES)) == {}
        cache.write(PARSES)
        assert cache.read(list(PARSES)) == PARSES


def test_a_file_damaged_inside_is_noticed_while_it_is_used(tmp_path, capsys):
    many = {f"text {number}": [[f"object {number}"]] for number in range(2000)}
    with ParseCache("spice 1", tmp_path) as cache:
        cache.write(many)
        path = cache.path
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)  # all but the first page
    path.write_bytes(content)
    with ParseCache("spice 1", tmp_path) as cache:
        assert cache.read(list(many)) == {}
        cache.write(PARSES)
        assert cache.read(list(PARSES)) == PARSES
    assert "damaged" in capsys.readouterr().err


def test_a_damaged_row_is_not_believed(tmp_path):
    with ParseCache("spice 1", tmp_path) as cache:
        cache.write(PARSES)
        path = cache.path
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE parses SET parse = substr(parse, 1, 8) || CAST('[[\"wrong\"]]' AS BLOB)")
    connection.close()
    with ParseCache("spice 1", tmp_path) as cache:
        assert cache.read(list(PARSES)) == {}


def test_without_a_place_to_write_it_goes_on_and_says_so(tmp_path, capsys):
    (tmp_path / "file").touch()
    with ParseCache("spice 1", tmp_path / "file" / "folder") as cache:
        cache.write(PARSES)
        assert cache.read(list(PARSES)) == {}
    assert capsys.readouterr().err.count("warning") == 1


def test_what_was_used_longest_ago_goes_first_and_the_file_stays_small(tmp_path, monkeypatch):
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    limit = 400_000
    with ParseCache("spice 1", tmp_path, limit_bytes=limit) as cache:
        for batch in range(40):
            cache.write({f"{batch} {number}": [["word" * 50]] for number in range(50)})
            now += 10_000
            assert cache.read(["0 0"])  # used all the time
        assert cache.read(["39 49", "1 0"]).keys() == {"39 49"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1.5 * limit


def test_two_processes_write_at_once(tmp_path):
    program = (
        "import sys; from pathlib import Path; from captioning.scores.java.parse_cache import ParseCache\n"
        "with ParseCache('spice 1', Path(sys.argv[1])) as cache:\n"
        "    for number in range(300):\n"
        "        cache.write({f'{sys.argv[2]} {number}': [[sys.argv[2]]], f'both {number}': [[str(number)]]})\n"
    )
    names = ("one", "two")
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name], stderr=subprocess.PIPE) for name in names
    ]
    assert [process.communicate()[1] for process in running] == [b"", b""]
    with ParseCache("spice 1", tmp_path) as cache:
        for name in names:
            assert len(cache.read([f"{name} {number}" for number in range(300)])) == 300
        assert cache.read(["both 7"]) == {"both 7": [["7"]]}


def test_a_kill_loses_nothing_that_was_written(tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path; from captioning.scores.java.parse_cache import ParseCache\n"
        "cache = ParseCache('spice 1', Path(sys.argv[1]))\n"
        "for number in range(200): cache.write({str(number): [[str(number)]]})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)]).returncode == -9
    with ParseCache("spice 1", tmp_path) as cache:
        assert len(cache.read([str(number) for number in range(200)])) == 200


@pytest.mark.parametrize(("name", "below"), [("LOOKBOOK_CACHE", ""), ("XDG_CACHE_HOME", "lookbook")])
def test_the_environment_says_where(tmp_path, monkeypatch, name, below):
    monkeypatch.delenv("LOOKBOOK_CACHE", raising=False)
    monkeypatch.setenv(name, str(tmp_path))
    assert cache_folder() == tmp_path / below
