"""The jars of CoreNLP: repacked and fetched twice, the bytes are the same."""

import zipfile
from pathlib import Path

import pytest

from captioning.scores.java import corenlp
from captioning.scores.java.corenlp import READ_BY_SPICE, repack
from pipeline.core.errors import UserError

FILES = {
    READ_BY_SPICE[0]: b"grammar",
    READ_BY_SPICE[1] + "b.txt": b"b",
    READ_BY_SPICE[1] + "a.txt": b"a",
    "edu/other": b"-",
}


def jar(path: Path, names: list[str], year: int, method: int) -> Path:
    """Write a jar with these of FILES, dated in this year, with this compression."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name in names:
            entry = zipfile.ZipInfo(name, (year, 1, 2, 3, 4, 6))
            file.writestr(entry, FILES[name], method)
    return path


def test_repacking_gives_the_same_bytes_for_any_order_times_and_compression(tmp_path):
    first = jar(tmp_path / "1.jar", list(FILES), 2016, zipfile.ZIP_DEFLATED)
    second = jar(tmp_path / "2.jar", list(reversed(FILES)), 2020, zipfile.ZIP_STORED)
    repack(first, tmp_path / "a.jar")
    repack(second, tmp_path / "b.jar")
    assert (tmp_path / "a.jar").read_bytes() == (tmp_path / "b.jar").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.jar") as small:
        assert {name: small.read(name) for name in small.namelist()} == {
            name: content for name, content in FILES.items() if name.startswith(READ_BY_SPICE)
        }


def test_a_jar_without_the_grammar_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no .*englishPCFG\.ser\.gz in it"):
        repack(jar(tmp_path / "1.jar", ["edu/other"], 2016, zipfile.ZIP_STORED), tmp_path / "a.jar")


@pytest.mark.slow
def test_fetched_twice_the_bytes_are_the_same(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        try:
            corenlp.fetch(folder)
        except UserError as error:
            pytest.skip(str(error))
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert len(first) == 2
    assert first == second
