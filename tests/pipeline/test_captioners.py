"""Names of captioners: those that would be lost, or taken for something else, are refused by every stage."""

from pathlib import Path

import pytest

from pipeline.captioners import WARM, Captioners, check_captioner, explain_wrong_captioner
from pipeline.core.errors import UserError
from pipeline.core.params import Section, read
from recsys.arrivals import sources
from tests.helpers.params_files import read_sample, write_values

NO_FILE = "it must be of letters, digits, `_`, `.`, `+` and `-`, a letter or digit first"
WRONG = [(name, NO_FILE) for name in ("Qwen/Qwen2-VL", "my model", "-ft", ".hidden", "", "modèle")]
WRONG += [("warm-up", "it begins with warm-"), ("none", "none stands for no model")]


class Params(Section):
    """What a stage reads."""

    captioners: Captioners


@pytest.mark.parametrize("name", ["tiny-llava", "llava-1.5-7b", "Qwen2_VL", "7b", "a+b", "warm", "swarm-1"])
def test_a_name_of_files_is_allowed(name: str) -> None:
    assert explain_wrong_captioner(name) == ""
    check_captioner(name)


@pytest.mark.parametrize(("name", "problem"), WRONG)
def test_another_name_is_refused(name: str, problem: str, tmp_path: Path) -> None:
    write_values(read_sample() | {"captioners": {name: {"family": "llava"}}}, tmp_path / "params.yaml")
    with pytest.raises(UserError) as error:
        read(Params, tmp_path / "params.yaml")
    assert f"captioners: {name!r} is no name for a captioner: {problem}" in str(error.value)
    assert "rename it, and its folder under data/models/" in str(error.value)
    with pytest.raises(UserError, match="--captioner: "):
        check_captioner(name)


def test_the_prefix_is_the_one_that_the_ranking_leaves_out() -> None:
    assert WARM == sources.WARM


def test_a_captioner_has_a_family(tmp_path: Path) -> None:
    write_values(read_sample() | {"captioners": {"mine": {}}}, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=r"captioners\.mine\.family: missing"):
        read(Params, tmp_path / "params.yaml")
