"""Checkpoints: a key of everything a result depends on, one writer, files that are whole or absent."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import checkpoints
from pipeline.core.errors import UserError

LIBRARIES = ("numpy",)


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("CHECKPOINT_DIR", str(tmp_path / "moved"))
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.py").write_text("1")
    (tmp_path / "data.npy").write_text("2")
    return [folder, tmp_path / "data.npy", tmp_path / "absent"]


def key(inputs: list[Path], params: object = None) -> str:
    return checkpoints.key_folder("work", params, inputs, LIBRARIES).name


def test_the_key_is_of_params_code_and_data_and_of_nothing_else(inputs: list[Path]) -> None:
    first = key(inputs, {"lr": 1e-4})
    assert key(inputs, {"lr": 1e-4}) == first
    assert key(inputs, {"lr": 2e-4}) != first
    (inputs[0] / "b.pyc").write_text("compiled")
    assert key(inputs, {"lr": 1e-4}) == first
    (inputs[0] / "a.py").write_text("3")
    changed = key(inputs, {"lr": 1e-4})
    assert changed != first
    inputs[2].write_text("now it is there")
    assert key(inputs, {"lr": 1e-4}) not in (first, changed)


def test_the_folder_can_be_moved(inputs: list[Path]) -> None:
    assert checkpoints.key_folder("work", None, inputs, LIBRARIES).parent == inputs[0].parent / "moved"


def test_a_workplace_is_kept_until_the_work_is_done(tmp_path: Path) -> None:
    place = tmp_path / "place"
    with pytest.raises(UserError, match="half-way"):
        fails_half_way(place)
    with checkpoints.workplace(place) as folder:
        assert (folder / "half").read_text() == "done"
    assert not place.exists()


def fails_half_way(place: Path) -> None:
    with checkpoints.workplace(place) as folder:
        (folder / "half").write_text("done")
        raise UserError("half-way")


def test_a_second_writer_is_refused_with_the_number_of_the_first(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from pipeline import checkpoints\nwith checkpoints.workplace(Path(sys.argv[1])): pass"
    with checkpoints.workplace(tmp_path / "place"):
        ended = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "place")],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
        )
        with pytest.raises(UserError, match="is working here"), checkpoints.sole_writer(tmp_path / "place"):
            pass
    assert ended.returncode != 0
    assert "is working here; wait for it to end, or stop it" in ended.stderr


def test_what_was_saved_is_loaded_and_what_is_damaged_is_not(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    assert checkpoints.load(path) is None
    checkpoints.save(path, {"weights": np.arange(6.0).reshape(2, 3)}, {"epoch": 3})
    found = checkpoints.load(path)
    assert found is not None
    np.testing.assert_array_equal(found[0]["weights"], np.arange(6.0).reshape(2, 3))
    assert found[1] == {"epoch": 3}
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:-3] + b"bad", b"", whole[:20]):
        path.write_bytes(damaged)
        assert checkpoints.load(path) is None
