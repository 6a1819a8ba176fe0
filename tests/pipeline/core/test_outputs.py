"""Outputs are whole or absent, an old output stays until the new one is whole, equal values give equal bytes."""

import json
import math
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.outputs import new_file, new_folder, write_json, write_parquet


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "out.txt"
    with new_file(target) as partial:
        partial.write_text("new")
        assert not target.exists()
        assert partial.parent == target.parent, "a rename across disks is no rename"
    assert target.read_text() == "new"
    assert names(target.parent) == ["out.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")

    def write_and_fail() -> None:
        with new_file(target) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["out.txt"]


def test_a_file_that_was_never_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("old")
    with pytest.raises(FileNotFoundError), new_file(tmp_path / "out.txt"):
        pass
    assert (tmp_path / "out.txt").read_text() == "old"


def find_dead_process() -> int:
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    left = f"{socket.gethostname()}-{find_dead_process()}-0123abcd.partial"
    (tmp_path / f"file.{left}").write_text("stale")
    (tmp_path / f"folder.{left}").mkdir()
    (tmp_path / f"folder.{left}" / "stale").write_text("stale")
    with new_file(tmp_path / "file") as partial:
        assert names(tmp_path) == []
        partial.write_text("new")
    with new_folder(tmp_path / "folder") as partial:
        assert names(partial) == []
    assert names(tmp_path) == ["file", "folder"]


def test_what_other_processes_write_stays(tmp_path: Path) -> None:
    others = [
        f"file.elsewhere-{find_dead_process()}-0123abcd.partial",
        f"file.{socket.gethostname()}-1-0123abcd.partial",
    ]
    for name in others:
        (tmp_path / name).write_text("in the making")
    with new_file(tmp_path / "file") as partial:
        partial.write_text("new")
    assert names(tmp_path) == sorted(["file", *others])


@given(order=st.permutations("aaabbb"), fails=st.booleans())
def test_two_writers_of_a_file_never_mix(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], fails: bool
) -> None:
    """In any order of their steps there is nothing, or the whole file of the one that ended last."""
    target = tmp_path_factory.mktemp("two") / "out.txt"
    blocks, partials, expected = {}, {}, None
    done: dict[str, int] = {"a": 0, "b": 0}
    for writer in order:  # which of them takes its next step
        if done[writer] == 0:
            blocks[writer] = new_file(target)
            partials[writer] = blocks[writer].__enter__()
            partials[writer].write_text(f"half of {writer}")
        elif done[writer] == 1:
            partials[writer].write_text(f"whole {writer}")
        elif fails and writer == "b":
            blocks[writer].__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        else:
            blocks[writer].__exit__(None, None, None)
            expected = f"whole {writer}"
        done[writer] += 1
        assert (target.read_text() if target.exists() else None) == expected
    assert names(target.parent) == ["out.txt"]


def test_two_writers_of_a_folder_leave_one_whole(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as first, new_folder(tmp_path / "out") as second:
        for number, folder in enumerate((first, second)):
            for name in "ab":
                (folder / name).write_text(str(number))
    assert [path.read_text() for path in sorted((tmp_path / "out").iterdir())] == ["0", "0"]
    assert names(tmp_path) == ["out"]


def test_many_processes_replace_a_folder_at_once(tmp_path: Path) -> None:
    write = (
        "import sys, pathlib\n"
        "from pipeline.core.outputs import new_folder\n"
        "for turn in range(20):\n"
        "    with new_folder(sys.argv[1]) as partial:\n"
        "        [(partial / name).write_text(sys.argv[2]) for name in 'ab']\n"
    )
    command = [sys.executable, "-c", write, str(tmp_path / "out")]
    assert [other.wait() for other in [subprocess.Popen([*command, str(number)]) for number in range(2)]] == [0, 0]
    assert len({path.read_text() for path in (tmp_path / "out").iterdir()}) == 1
    assert names(tmp_path) == ["out"]


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with new_folder(tmp_path / "out") as partial:
            (partial / content).write_text(content)
    assert names(tmp_path / "out") == ["second"]
    assert names(tmp_path) == ["out"]


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as partial:
        (partial / "old").write_text("old")

    def write_and_fail() -> None:
        with new_folder(tmp_path / "out") as partial:
            (partial / "half").write_text("half")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        write_and_fail()
    assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_json_refuses_what_is_not_finite_and_names_its_key(tmp_path: Path, wrong: float) -> None:
    (tmp_path / "metrics.json").write_text("old")
    with pytest.raises(ValueError, match=r"metrics.json: tiny: ft: bleu\[1\] is (nan|-?inf)"):
        write_json(tmp_path / "metrics.json", {"tiny": {"pt": 1.0, "ft": {"bleu": [0.5, wrong]}}})
    assert (tmp_path / "metrics.json").read_text() == "old"
    assert names(tmp_path) == ["metrics.json"]


@given(
    st.dictionaries(
        st.text(),
        st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text() | st.lists(st.booleans()),
    )
)
def test_json_keeps_every_digit_and_the_order_of_keys(tmp_path_factory: pytest.TempPathFactory, values: dict) -> None:
    path = tmp_path_factory.mktemp("json") / "metrics.json"
    write_json(path, values)
    back = json.loads(path.read_text(encoding="utf-8"))
    assert back == values
    assert list(back) == list(values)


def test_json_of_the_same_values_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_json(tmp_path / name, {"größe": 1 / 3, "items": [1, 2]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "größe" in (tmp_path / "a").read_text(encoding="utf-8")


def test_parquet_keeps_values_and_has_the_same_bytes_for_the_same_values(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"item_id": ["0351332007", "0000000001"], "value": [0.1, None], "rank": np.array([1, 2], dtype=np.int32)}
    )
    write_parquet(tmp_path / "a.parquet", table)
    write_parquet(tmp_path / "b.parquet", table.copy().set_axis(pd.Index([7, 3])))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), table, check_dtype=False)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert names(tmp_path) == ["a.parquet", "b.parquet"]
