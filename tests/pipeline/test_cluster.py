"""Files of parts in this process, and what is refused without a cluster; test_cluster_nodes.py has real nodes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest

from pipeline import cluster
from pipeline.cluster import make_files
from pipeline.core.errors import UserError
from pipeline.machine import Where
from tests.helpers.cluster_work import open_numbers, open_refused


def list_parts(folder: Path, n: int = 5) -> dict[Path, int]:
    return {folder / f"{number}.txt": number for number in range(n)}


def read_numbers(paths: list[Path]) -> list[int]:
    return [int(path.read_text()) for path in paths]


def test_files_come_in_the_order_of_the_parts(tmp_path: Path) -> None:
    assert read_numbers(make_files(list_parts(tmp_path), open_numbers, 3)) == [0, 3, 6, 9, 12]


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    parts = list_parts(tmp_path)
    make_files(parts, open_numbers, 3)
    for number in (1, 4):
        (tmp_path / f"{number}.txt").unlink()
    assert read_numbers(make_files(parts, open_numbers, 10)) == [0, 10, 6, 9, 40]


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    parts = list_parts(tmp_path)
    make_files(parts, open_numbers, 3)
    (tmp_path / "2.txt").write_text("damaged")
    made = make_files(parts, open_numbers, 3, is_whole=lambda path: path.is_file() and path.read_text().isdigit())
    assert read_numbers(made) == [0, 3, 6, 9, 12]


def test_nothing_is_opened_where_nothing_is_missing(tmp_path: Path) -> None:
    parts = list_parts(tmp_path)
    made = make_files(parts, open_numbers, 3)
    assert make_files(parts, open_refused) == made
    assert make_files(parts, open_refused, where=Where("ray")) == made
    with pytest.raises(UserError, match="nothing to open"):
        make_files(list_parts(tmp_path, 6), open_refused)


def test_files_that_were_finished_stay_when_one_fails(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="3 is refused"):
        make_files(list_parts(tmp_path), open_numbers, 1, 3, "refuse")
    assert sorted(path.name for path in tmp_path.glob("?.txt")) == ["0.txt", "1.txt", "2.txt"]


@pytest.mark.parametrize("where", [Where(), Where("ray")])
def test_files_of_one_folder_are_made_by_one_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Where
) -> None:
    parts = list_parts(tmp_path / "files")
    make_files(dict(list(parts.items())[:2]), open_numbers, 3)
    monkeypatch.setattr(cluster, "_describe", lambda gpu: "a processor of another kind")
    monkeypatch.setattr(cluster, "_make_on_ray", make_as_ray)
    with pytest.raises(UserError, match=r"made by .*torch.*would be made by a processor of another kind.*remove the f"):
        make_files(parts, open_numbers, 3, where=where)
    for path in list(parts)[:2]:
        path.unlink()
    assert read_numbers(make_files(parts, open_numbers, 3, where=where)) == [0, 3, 6, 9, 12]
    assert (tmp_path / "files" / cluster.HARDWARE).read_text() == "a processor of another kind"
    monkeypatch.undo()
    assert make_files(parts, open_refused) == list(parts)  # nothing is missing


def make_as_ray(
    missing: Mapping[Path, int], finished: set[Path], open_: cluster.Open, arguments: tuple[int], *_: object
) -> None:
    cluster._record_hardware(missing, finished, cluster._describe(False))
    open_(*arguments)(missing)


def test_without_ray_the_message_says_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in cluster.SETTINGS:
        monkeypatch.setenv(name, "")
    with pytest.raises(UserError, match=r"ray needs Ray.*`pip install -e '\.\[cluster\]'`.*or set machine\.cluster: n"):
        make_files(list_parts(tmp_path), open_numbers, 1, where=Where("ray"))
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_asks_for_no_cluster_imports_nothing_of_ray(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from pipeline.cluster import make_files\n"
        "from tests.helpers.cluster_work import open_numbers\n"
        "make_files({pathlib.Path(sys.argv[1]) / 'a': 1}, open_numbers, 1)\n"
        "assert not {'ray', 'torch'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


@pytest.mark.parametrize(("size", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (9, [5])])
def test_tasks_hold_every_part_once_and_in_order(tmp_path: Path, size: int, sizes: list[int]) -> None:
    parts = list_parts(tmp_path)
    tasks = list(cluster._cut(parts, size))
    assert [len(task) for task in tasks] == sizes
    assert [item for task in tasks for item in task.items()] == list(parts.items())


def test_a_process_of_other_hardware_is_refused_before_it_makes_a_file(tmp_path: Path) -> None:
    work = cluster._Work("key", str(Path.cwd()), "a processor of another kind", open_numbers, (1,), False)
    with pytest.raises(UserError, match=r"nodes of the Ray cluster differ.*another has a processor of another kind"):
        cluster._make(work, list_parts(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_node_that_does_not_see_the_study_is_named(tmp_path: Path) -> None:
    work = cluster._Work("key", str(tmp_path / "absent"), cluster._describe(False), open_numbers, (1,), False)
    with pytest.raises(
        UserError, match=r"absent: node \S+ of the Ray cluster does not see the study's folder \(No such"
    ):
        cluster._make(work, list_parts(tmp_path))


def test_hardware_is_described_by_processor_and_libraries() -> None:
    import torch

    described = cluster._describe(gpu=False)
    assert f"torch {torch.__version__.split('+')[0]}" in described
    assert described == cluster._describe(gpu=False)
    assert "Python 3." in described


@pytest.mark.parametrize(
    ("nodes", "threads", "said"),
    [
        ([(16, 8)], 2, ""),
        ([(64, 8), (16, 0)], 8, ""),
        (
            [(16, 8)],
            3,
            "; 3 GPU stay idle: a process takes 3 CPU and one GPU of a node; set machine.threads to 2 or less",
        ),
        ([(16, 8), (8, 1)], 4, "; 4 GPU stay idle: a process takes 4 CPU and one GPU of a node; set machine.threads"),
        ([(4, 8)], 1, "; 4 GPU stay idle: a process takes 1 CPU and one GPU of a node; give the nodes more CPUs than"),
    ],
)
def test_gpus_that_too_few_cpus_leave_idle_are_said(nodes: list[tuple[int, int]], threads: int, said: str) -> None:
    explained = cluster._explain_idle_gpus(nodes, threads)
    assert explained.startswith(said)
    assert bool(explained) == bool(said)


@pytest.mark.parametrize(("device", "idle"), [("cuda", "4 GPU stay idle"), ("cpu", "")])
def test_the_opening_line_says_which_gpus_stay_idle(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], device: Literal["cpu", "cuda"], idle: str
) -> None:
    resources = {"CPU": 16.0, "GPU": 8.0}
    ray = SimpleNamespace(
        exceptions=SimpleNamespace(RayError=RuntimeError),
        is_initialized=lambda: False,
        init=lambda *_, **__: None,
        nodes=lambda: [{"Resources": resources, "Alive": True}],
        cluster_resources=lambda: resources,
    )
    monkeypatch.setitem(sys.modules, "ray", ray)  # type: ignore[arg-type]
    for name in ("RAY_ADDRESS", *cluster.SETTINGS):
        monkeypatch.setenv(name, "")
    cluster._connect(Where("ray", 4, device))
    said = capsys.readouterr().err
    assert "1 node(s), 16 CPU, 8 GPU" in said
    assert ("stay idle" in said) == bool(idle)
    assert idle in said


def test_a_file_that_is_not_seen_names_what_must_be_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.0)
    (tmp_path / "short").write_text("1")
    cluster._wait_until_seen(tmp_path / "short", 1)
    with pytest.raises(UserError, match="must see the study's folder"):
        cluster._wait_until_seen(tmp_path / "short", 2)
    with pytest.raises(UserError, match="must see the study's folder"):
        cluster._wait_until_seen(tmp_path / "absent", 0)
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.3)
    with pytest.raises(UserError, match="must see the study's folder"):
        cluster._wait_until_seen(tmp_path / "a node" / "made these" / "absent", 0)


def test_a_cluster_that_asks_for_a_token_that_is_not_here_is_one_message(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    code = (
        "import pathlib\n"
        "from pipeline.cluster import make_files\n"
        "from pipeline.core.stage import run\n"
        "from pipeline.machine import Where\n"
        "from tests.helpers.cluster_work import open_numbers\n"
        "run(lambda: make_files({pathlib.Path('a'): 1}, open_numbers, 1, where=Where('ray')) and None)"
    )
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:6399", "RAY_AUTH_MODE": "token", "HOME": str(tmp_path)}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("RAY_AUTH_TOKEN", None)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "RAY_ADDRESS=127.0.0.1:6399: no Ray cluster can be reached there" in done.stderr
    assert "Traceback" not in done.stderr
