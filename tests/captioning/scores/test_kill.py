"""kill -9 of the scorer, and of its Java process, in the middle of SPICE: the same figures, no text parsed twice."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from captioning.scores.java.parse_cache import NAME

PROGRAM = """
import json, sys
from pathlib import Path
from captioning.scores.reference_based import score_captions
captions, references = json.loads(Path(sys.argv[1]).read_text())
scores = score_captions({"coco": captions}, references, Path(sys.argv[2]), metrics=("bleu", "meteor", "spice"))
print(json.dumps([scores.corpus, scores.items.to_dict("list")]))
"""
IMAGES = 40


def start(inputs: Path, corenlp: Path, cache: Path) -> subprocess.Popen:
    environment = {**os.environ, "LOOKBOOK_CACHE": str(cache)}
    command = [sys.executable, "-c", PROGRAM, str(inputs), str(corenlp)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read_parses(cache: Path, change: str = "") -> dict[bytes, int]:
    """Read the stored parses: key -> time of the last use. `change` is run first."""
    if not (cache / NAME).exists():
        return {}
    connection = sqlite3.connect(cache / NAME, timeout=30)
    try:
        with connection:
            if change:
                connection.execute(change)
            return dict(connection.execute("SELECT key, used FROM parses"))
    except sqlite3.OperationalError:  # there is no table yet
        return {}
    finally:
        connection.close()


def wait_for_parses(cache: Path, running: subprocess.Popen) -> None:
    end = time.monotonic() + 300
    while not read_parses(cache) and time.monotonic() < end:
        assert running.poll() is None, running.communicate()[1]
        time.sleep(0.05)
    assert read_parses(cache)


def worker_of(process: int) -> int:
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True).stdout
    return int(children.split()[0])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, coco: tuple[dict, dict]) -> Path:
    chosen = list(coco[0])[:IMAGES]
    path = tmp_path_factory.mktemp("inputs") / "captions.json"
    path.write_text(json.dumps([{item: part[item] for item in chosen} for part in coco]))
    return path


@pytest.fixture(scope="module")
def undisturbed(inputs: Path, fetched_corenlp: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the output of a run without a kill."""
    return start(inputs, fetched_corenlp, tmp_path_factory.mktemp("undisturbed")).communicate()[0]


@pytest.mark.slow
def test_a_killed_scorer_goes_on_where_it_was(
    inputs: Path, undisturbed: str, fetched_corenlp: Path, tmp_path: Path
) -> None:
    killed = start(inputs, fetched_corenlp, tmp_path)
    wait_for_parses(tmp_path, killed)
    worker = worker_of(killed.pid)
    killed.kill()
    killed.communicate()
    marked = int(time.time()) - 1000  # a text that is parsed again gets the time of now
    before = read_parses(tmp_path, f"UPDATE parses SET used = {marked}")
    again = start(inputs, fetched_corenlp, tmp_path)
    output, errors = again.communicate()
    assert (again.returncode, output) == (0, undisturbed), errors
    after = read_parses(tmp_path)
    assert len(before) < len(after)
    assert {after[key] for key in before} == {marked}
    assert not Path(f"/proc/{worker}").exists()


@pytest.mark.slow
def test_a_killed_worker_is_started_again(
    inputs: Path, undisturbed: str, fetched_corenlp: Path, tmp_path: Path
) -> None:
    running = start(inputs, fetched_corenlp, tmp_path)
    wait_for_parses(tmp_path, running)
    worker = worker_of(running.pid)
    os.kill(worker, signal.SIGKILL)
    read_parses(tmp_path, f"UPDATE parses SET used = {int(time.time()) - 1000}")
    output, errors = running.communicate()
    assert (running.returncode, output) == (0, undisturbed), errors
    assert f"the Java process {worker} of the caption scores was killed by signal 9 during `spice_" in errors
    assert "Starting it again; no finished work is lost" in errors
