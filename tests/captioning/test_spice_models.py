"""The stage: it skips, fetches, and refuses without a network."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from captioning import spice_models
from captioning.scores.java import corenlp
from pipeline.core.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make a project folder and go there; its Maven repository and settings are those that the test makes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CORENLP", raising=False)
    monkeypatch.setenv("LOOKBOOK_CACHE", str(tmp_path / "cache"))
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
