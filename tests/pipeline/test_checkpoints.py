"""Checkpoints: a key of everything that a result depends on, one writer, files that are whole or absent."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
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


def test_the_key_depends_on_params_code_and_data_and_on_nothing_else(inputs: list[Path]) -> None:
    first = key(inputs, {"lr": 1e-4})
    assert key(inputs, {"lr": 1e-4}) == first
    assert key(inputs, {"lr": 2e-4}) != first
    (inputs[0] / "b.pyc").write_text("compiled")
    assert key(inputs, {"lr": 1e-4}) == first
    (inputs[0] / "a.py").write_text("3")
    changed = key(inputs, {"lr": 1e-4})
    assert changed != first
    inputs[2].write_text("new")
    assert key(inputs, {"lr": 1e-4}) not in (first, changed)


def test_a_list_of_hashes_stands_for_its_files_as_long_as_it_fits_them(
    inputs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    hash_file = checkpoints.hash_file
    monkeypatch.setattr(checkpoints, "hash_file", lambda path: hashed.append(path.name) or hash_file(path))
    checkpoints.write_hashes(inputs[0])
    hashed.clear()
    first = key(inputs)
    assert hashed == [checkpoints.HASHES, "data.npy"]
    (inputs[0] / "a.py").write_text("2")
    checkpoints.write_hashes(inputs[0])
    listed = key(inputs)
    assert listed != first
    for change in ("longer", "added", "removed", "damaged list"):
        if change == "longer":
            (inputs[0] / "a.py").write_text("33")
        elif change == "added":
            checkpoints.write_hashes(inputs[0])
            (inputs[0] / "b.py").write_text("4")
        elif change == "removed":
            checkpoints.write_hashes(inputs[0])
            (inputs[0] / "b.py").unlink()
        else:
            (inputs[0] / checkpoints.HASHES).write_text("[")
        hashed.clear()
        assert key(inputs) not in (first, listed), change
        assert "a.py" in hashed


def test_the_folder_can_be_moved(inputs: list[Path]) -> None:
    assert checkpoints.key_folder("work", None, inputs, LIBRARIES).parent == inputs[0].parent / "moved"


def test_a_folder_is_kept_until_the_work_succeeds(tmp_path: Path) -> None:
    root = tmp_path / "work"
    with pytest.raises(UserError, match="half-way"):
        fails_half_way(root)
    with checkpoints.checkpoint_folder(root) as folder:
        assert (folder / "half").read_text() == "done"
    assert not root.exists()


def fails_half_way(root: Path) -> None:
    with checkpoints.checkpoint_folder(root) as folder:
        (folder / "half").write_text("done")
        raise UserError("half-way")


def test_what_is_still_open_keeps_no_stage_from_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS renames a file that is removed while it is open, and then does not remove its folder."""
    remove = shutil.rmtree

    def remove_as_nfs(folder: Path, ignore_errors: bool = False) -> None:
        opened = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        if not any(Path(name).is_relative_to(folder) for name in opened):
            remove(folder)
        elif not ignore_errors:
            raise OSError(errno.ENOTEMPTY, "Directory not empty", str(folder))

    monkeypatch.setattr(checkpoints.shutil, "rmtree", remove_as_nfs)
    with checkpoints.checkpoint_folder(tmp_path / "work") as folder:
        (folder / "part").write_text("done")
    assert not list(tmp_path.iterdir())
    with checkpoints.checkpoint_folder(tmp_path / "work") as folder:
        part = open(folder / "part", "w")  # noqa: SIM115 - as by a process that is idle
    assert not (tmp_path / "work").exists()
    part.close()
    with checkpoints.checkpoint_folder(tmp_path / "other"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_removed_while_its_lock_is_taken_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process ends between the opening of the lock and its taking."""
    take, taken = fcntl.flock, []

    def take_late(lock: object, how: int) -> None:
        if not taken:
            taken.append(lock)
            (tmp_path / "work").rename(tmp_path / "gone")
        take(lock, how)

    monkeypatch.setattr(checkpoints.fcntl, "flock", take_late)
    with checkpoints.checkpoint_folder(tmp_path / "work") as folder:
        (folder / "part").write_text("done")
        with pytest.raises(UserError, match="is working here"), checkpoints.lock_folder(folder):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["gone"]


def test_a_second_writer_is_refused_with_the_number_of_the_first(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from pipeline.checkpoints import lock_folder\n"
    code += "with lock_folder(Path(sys.argv[1])): pass"
    with checkpoints.checkpoint_folder(tmp_path / "work"):
        ended = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "work")],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
        )
        with pytest.raises(UserError, match="is working here"), checkpoints.lock_folder(tmp_path / "work"):
            pass
    assert ended.returncode != 0
    assert "is working here; wait for it to end, or stop it" in ended.stderr


def test_a_saved_file_is_loaded_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    assert checkpoints.load(path) is None
    checkpoints.save(path, {"weights": np.arange(6.0).reshape(2, 3)}, {"epoch": 3})
    content = checkpoints.load(path)
    assert content is not None
    assert checkpoints.is_whole(path)
    np.testing.assert_array_equal(content[0]["weights"], np.arange(6.0).reshape(2, 3))
    assert content[1] == checkpoints.read_state(path) == {"epoch": 3}
    whole = path.read_bytes()
    huge = (1 << 62).to_bytes(8, "little") + whole[8:]  # says that its header is longer than any memory
    for damaged in (whole[:-1], whole[:-3] + b"bad", b"", whole[:20], huge, whole.replace(b"epoch", b"epoxh")):
        path.write_bytes(damaged)
        assert checkpoints.load(path) is None
        assert not checkpoints.is_whole(path)


@pytest.mark.parametrize(
    "arrays", [{}, {"b": np.ones((2, 0)), "a": np.full((), 3.0)}, {"x": np.arange(500_000).reshape(2, -1).T}]
)
def test_a_file_of_any_arrays_is_whole(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    checkpoints.save(tmp_path / "state.safetensors", arrays, {"text": "é"})
    assert checkpoints.is_whole(tmp_path / "state.safetensors")
    loaded, state = checkpoints.load_part(tmp_path / "state.safetensors")
    assert state == {"text": "é"}
    assert loaded.keys() == arrays.keys()
    whole = (tmp_path / "state.safetensors").read_bytes()
    for damaged in (whole[:-1], whole + b" "):
        (tmp_path / "state.safetensors").write_bytes(damaged)
        assert not checkpoints.is_whole(tmp_path / "state.safetensors")
        assert checkpoints.load(tmp_path / "state.safetensors") is None
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)


class Squares:
    """Computes the squares of numbers; counts what it gets, and may be killed at one of them."""

    def __init__(self, killed_at: int = -1) -> None:
        self.numbers: list[int] = []
        self.killed_at = killed_at

    def __call__(self, parts: list[int]) -> Iterator[checkpoints.Content]:
        for number in parts:
            if number == self.killed_at:
                raise KeyboardInterrupt
            self.numbers.append(number)
            yield {"square": np.array([number**2])}, {"number": number}


PARTS = {f"part-{number}": number for number in range(5)}


def test_a_killed_run_resumes_at_its_first_unfinished_part(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        checkpoints.keep_finished(tmp_path, PARTS, Squares(killed_at=3))
    again = Squares()
    paths = checkpoints.keep_finished(tmp_path, PARTS, again)
    assert again.numbers == [3, 4]
    assert [path.name for path in paths] == [f"part-{number}.safetensors" for number in range(5)]
    contents = [checkpoints.load_part(path) for path in paths]
    assert [(arrays["square"].tolist(), state) for arrays, state in contents] == [
        ([number**2], {"number": number}) for number in range(5)
    ]


def test_finished_work_is_not_computed_again_and_damaged_parts_are(tmp_path: Path) -> None:
    paths = checkpoints.keep_finished(tmp_path, PARTS, Squares())

    def refuse(parts: list[int]) -> Iterator[checkpoints.Content]:
        raise AssertionError(f"computes {parts} again")

    assert checkpoints.keep_finished(tmp_path, PARTS, refuse) == paths
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    with pytest.raises(UserError, match=r"part-1.*: removed or damaged while this run used it; run `dvc repro` again"):
        checkpoints.load_part(paths[1])
    again = Squares()
    checkpoints.keep_finished(tmp_path, PARTS, again)
    assert again.numbers == [1]


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_computation_that_yields_too_few_or_too_many_parts_is_an_error(tmp_path: Path, extra: int) -> None:
    def compute(parts: list[int]) -> Iterator[checkpoints.Content]:
        return iter([({}, {})] * (len(parts) + extra))

    with pytest.raises(ValueError, match="zip"):
        checkpoints.keep_finished(tmp_path, PARTS, compute)


def test_a_temporary_folder_is_removed_and_a_folder_of_the_caller_is_not(tmp_path: Path) -> None:
    with checkpoints.temporary_if_none(tmp_path) as folder:
        assert folder == tmp_path
    assert tmp_path.is_dir()
    with checkpoints.temporary_if_none(None) as folder:
        (folder / "file").touch()
    assert not folder.exists()


def test_equal_content_has_equal_bytes_and_a_file_of_another_kind_is_not_whole(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    for name in ("first", "second"):
        checkpoints.save(tmp_path / name, {"b": np.ones(3), "a": np.zeros(2)}, {"x": 1, "y": [None, 0.1]})
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    for metadata in (None, {"state": "{}"}, {"checkpoint": "1"}, {"checkpoint": "{}"}, {"checkpoint": "{"}):
        save_file({"a": np.zeros(2)}, tmp_path / "other", metadata)
        assert checkpoints.load(tmp_path / "other") is None
        assert not checkpoints.is_whole(tmp_path / "other")
