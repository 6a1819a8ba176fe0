"""A stage run as beside a GPU, with threads that open its pictures: on a CPU no other test has any."""

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
    """Runs a stage in the working directory without and with 8 threads, and compares every byte that it writes."""
    expected, alone = _outputs_of(run, 0, monkeypatch)
    found, beside = _outputs_of(run, 8, monkeypatch)
    assert alone == {threading.main_thread()}
    assert len(beside - alone) > 1
    assert expected
    assert found == expected


def _outputs_of(
    run: Callable[[], object], number: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, bytes], Readers]:
    """The bytes of each file that the stage wrote, and the threads that opened pictures."""
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
