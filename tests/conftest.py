"""Fixtures of all tests: a small disk, a cluster of two nodes, a copy of the study. A test process has one thread."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline.cluster import SETTINGS
from tests.helpers.ray_nodes import Nodes, start_two_nodes
from tests.helpers.repository import copy_study, restore_study

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a stage has two threads: waiting, they leave the core to others
settings.register_profile("no deadline", deadline=None)  # a busy machine fails no test
settings.load_profile("no deadline")


def pytest_runtest_teardown() -> None:
    """Bring torch back to one thread after a test whose stage took more."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a tmpfs of 1 MiB; skip the test where none can be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("no mount program here")
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Start two nodes of one CPU each, a head and another, for all tests of a process."""
    with start_two_nodes(tmp_path_factory.mktemp("nodes")) as started:
        yield started


@pytest.fixture
def two_nodes(nodes: Nodes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Nodes]:
    """Make this process the driver of two nodes, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name, value in (nodes.environment | SETTINGS).items():
        monkeypatch.setenv(name, value)
    yield nodes
    sys.modules["ray"].shutdown()


@pytest.fixture
def own_study(tmp_path: Path) -> Path:
    """Copy the study that has run here, to run DVC in it."""
    return copy_study(tmp_path / "study")


@pytest.fixture(scope="session")
def copied_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the study that has run here once for all tests of a process."""
    return copy_study(tmp_path_factory.mktemp("copied") / "study")


@pytest.fixture
def study(copied_study: Path) -> Iterator[Path]:
    """Return a copy of the study to run DVC in: shared, and brought back to its first commit after each test."""
    yield copied_study
    restore_study(copied_study)
