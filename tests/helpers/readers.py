"""Run a stage as on a GPU, with threads that open its pictures; on a CPU stages use none."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from catalogue.prepared.images import ImageStore
from pipeline.prefetch import VARIABLE

OUTPUTS = ("data/adapters", "data/captions", "data/features", "data/samples", "metrics")
Readers = set[threading.Thread]


def check_readers_change_nothing(run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a stage in the working directory without and with 8 threads, and compare every byte that it writes."""
    expected, readers = _run_with_threads(run, 0, monkeypatch)
    assert readers == {threading.main_thread()}
    assert expected
    outputs, readers = _run_with_threads(run, 8, monkeypatch)
    assert len(readers - {threading.main_thread()}) > 1
    assert outputs == expected


def _run_with_threads(
    run: Callable[[], object], number: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, bytes], Readers]:
    """Run the stage; return the bytes of each file that it wrote, and the threads that opened pictures."""
    seen: Readers = set()
    read = ImageStore.read_jpeg

    def read_jpeg(store: ImageStore, item_id: str) -> bytes:
        seen.add(threading.current_thread())
        time.sleep(0.001)  # another thread can begin meanwhile
        return read(store, item_id)

    for folder in (*OUTPUTS, ".checkpoints"):
        shutil.rmtree(folder, ignore_errors=True)
    with monkeypatch.context() as patch:
        patch.setenv(VARIABLE, str(number))
        patch.setattr(ImageStore, "read_jpeg", read_jpeg)
        run()
    files = [path for folder in OUTPUTS for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    return {str(path): path.read_bytes() for path in files}, seen
