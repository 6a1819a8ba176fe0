import shutil
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from captioning import spice_models
from captioning.scores.java import corenlp
from captioning.scores.java.corenlp import READ_BY_SPICE, repack
from pipeline.core.errors import UserError

ROOT = Path(__file__).parents[2]
FILES = {
    READ_BY_SPICE[0]: b"grammar",
    READ_BY_SPICE[1] + "b.txt": b"b",
    READ_BY_SPICE[1] + "a.txt": b"a",
    "edu/other": b"-",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder of its own, and no Maven repository or settings but those that the test makes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    (tmp_path / "jgo.conf").write_text("[repositories]\nnowhere = http://127.0.0.1:9\n")  # nothing listens there
    shutil.copy(ROOT / "studies" / "sample.yaml", "params.yaml")
    return tmp_path


def set_spice(value: str) -> None:
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["caption_score"]["spice"] = value
    yaml.dump(params, Path("params.yaml"))


def jar(path: Path, names: list[str], year: int, method: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name in names:
            entry = zipfile.ZipInfo(name, (year, 1, 2, 3, 4, 6))
            file.writestr(entry, FILES[name], method)
    return path


def test_repacking_gives_the_same_bytes_whatever_the_order_times_and_compression(tmp_path):
    one = jar(tmp_path / "1.jar", list(FILES), 2016, zipfile.ZIP_DEFLATED)
    two = jar(tmp_path / "2.jar", list(reversed(FILES)), 2020, zipfile.ZIP_STORED)
    repack(one, tmp_path / "a.jar")
    repack(two, tmp_path / "b.jar")
    assert (tmp_path / "a.jar").read_bytes() == (tmp_path / "b.jar").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.jar") as small:
        assert {name: small.read(name) for name in small.namelist()} == {
            name: content for name, content in FILES.items() if name.startswith(READ_BY_SPICE)
        }


def test_a_jar_without_the_grammar_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no .*englishPCFG\.ser\.gz in it"):
        repack(jar(tmp_path / "1.jar", ["edu/other"], 2016, zipfile.ZIP_STORED), tmp_path / "a.jar")


def test_skip_writes_a_note_and_fetches_nothing(project):
    set_spice("skip")
    spice_models.main()
    assert [path.name for path in corenlp.OUT.iterdir()] == ["SKIPPED"]


def test_without_a_network_the_message_says_how_to_go_on_and_nothing_is_left(project):
    with pytest.raises(UserError, match=r"stanford-corenlp:3\.6\.0.*\n.*caption_score\.spice: skip"):
        spice_models.main()
    assert not list(Path("data").glob("corenlp*"))


def test_another_file_under_that_name_is_refused(project):
    folder = project / "m2" / "edu" / "stanford" / "nlp" / "stanford-corenlp" / "3.6.0"
    folder.mkdir(parents=True)
    (folder / "stanford-corenlp-3.6.0.jar").write_bytes(b"half a download")
    with pytest.raises(UserError, match=r"stanford-corenlp-3\.6\.0\.jar: not the .* delete it"):
        spice_models.main()
    assert not list(Path("data").glob("corenlp*"))


@pytest.mark.parametrize("value", ["skipped", True])
def test_a_wrong_value_is_refused(project, value):
    set_spice(value)
    with pytest.raises(UserError, match=r"caption_score\.spice: .* is not allowed"):
        spice_models.main()


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
