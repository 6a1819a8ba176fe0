"""Freed memory stays with the process: in processes of their own, because the setting does."""

import os
import subprocess
import sys

import pytest

from pipeline.core.memory import GLIBC_VARIABLES
from pipeline.core.stage import run
from tests.helpers.repository import ROOT

FAULTS = """
import resource
import sys
import numpy as np
from pipeline.core.memory import keep_freed_memory

def arrays():
    first, second = np.ones(8 << 20, dtype=np.uint8), np.ones(8 << 20, dtype=np.uint8)

was_set = keep_freed_memory() if sys.argv[1] == "keep" else False
arrays()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    arrays()
print(was_set, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(word: str, **environment: str) -> tuple[str, int]:
    """Return whether the setting worked, and how many pages 50 pairs of arrays of 8 MiB had mapped anew."""
    outside = {name: value for name, value in os.environ.items() if name not in GLIBC_VARIABLES}
    ended = subprocess.run(
        [sys.executable, "-c", FAULTS, word],
        env=outside | environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    was_set, pages = ended.stdout.split()
    return was_set, int(pages)


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_arrays_are_not_mapped_anew() -> None:
    (_, left_alone), (was_set, pages) = faults("leave"), faults("keep")
    assert was_set == "True"
    assert 10 * pages < left_alone


def test_whoever_has_set_glibc_keeps_that() -> None:
    assert faults("keep", MALLOC_TRIM_THRESHOLD_="131072")[0] == "False"


def test_every_stage_keeps_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr("pipeline.core.stage.keep_freed_memory", lambda: called.append("keep"))
    run(lambda: called.append("main"))
    assert called == ["keep", "main"]
