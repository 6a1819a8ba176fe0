"""The Java process: it is started again when it dies or hangs, and says so; it never outlives its owner."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from captioning.scores.java import process as jvm_module
from captioning.scores.java.process import JavaError, Jvm, JvmError
from pipeline.core.errors import UserError


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def wait_for_end(pid: int, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_running(pid)


@pytest.mark.slow
def test_a_killed_process_is_named_and_started_again(capfd):
    with Jvm() as jvm:
        assert jvm.call("tokenize", texts=["A cap."]) == ["a cap ."]
        killed = jvm.pid
        os.kill(killed, signal.SIGKILL)
        assert jvm.call("tokenize", texts=["Another cap."]) == ["another cap ."]
        assert jvm.pid != killed
    assert f"warning: the Java process {killed} of the caption scores was killed by signal 9 during `tokenize`" in (
        capfd.readouterr().err
    )


@pytest.mark.slow
def test_a_hang_is_noticed_named_and_started_again(capfd):
    with Jvm() as jvm:
        jvm.call("tokenize", texts=["A cap."])
        jvm.loading_seconds = 5  # as long as one takes to start
        stopped = jvm.pid
        os.kill(stopped, signal.SIGSTOP)
        long = "A cap." * 20_000  # more than a pipe holds: writing hangs too
        assert len(jvm.call("tokenize", texts=[long])[0]) > 100_000
        assert not is_running(stopped)
    assert "gave no answer to `tokenize` for 5 seconds and was stopped" in capfd.readouterr().err


@pytest.mark.slow
def test_the_time_that_a_call_may_take_grows_with_its_work():
    with Jvm() as jvm:
        jvm.call("tokenize", texts=["A cap."])
        jvm.loading_seconds = 0.05
        assert jvm.call("tokenize", work_seconds=60, texts=["a cap"] * 20_000) == ["a cap"] * 20_000


def test_one_that_dies_again_and_again_is_an_error(monkeypatch, capfd, tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text("import sys; sys.stdin.readline(); sys.exit('no memory')")
    monkeypatch.setattr(jvm_module, "WORKER", worker)
    with Jvm() as jvm, pytest.raises(JvmError, match=r"ended with status 1 during `tokenize`.*\nno memory") as caught:
        jvm.call("tokenize", texts=["A cap."])
    assert isinstance(caught.value, UserError)
    assert capfd.readouterr().err.count("Starting it again") == 2


def test_a_java_exception_is_passed_on_and_the_process_goes_on(jvm, tmp_path):
    with pytest.raises(JavaError, match=r"ClassNotFoundException|NoClassDefFoundError"):
        jvm.call("spice_tuples", texts=["a cap"])  # this process knows no CoreNLP 3.6.0
    assert jvm.call("tokenize", texts=["A cap."]) == ["a cap ."]


def test_a_wrong_request_is_passed_on(jvm):
    with pytest.raises(JavaError, match="TypeError"):
        jvm.call("tokenize", texts=[3])


def test_it_ends_with_the_block():
    with Jvm() as jvm:
        pid = jvm.pid
        jvm.call("tokenize", texts=["a"])
    assert not is_running(pid)


def test_it_does_not_outlive_a_killed_owner():
    """The owner is killed while METEOR loads, which takes seconds."""
    program = (
        "from captioning.scores.java.process import Jvm\n"
        "jvm = Jvm()\n"
        "print(jvm.pid, jvm.call('tokenize', texts=['a']), flush=True)\n"
        "jvm.call('meteor', pairs=[['a', ['b']]])\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline().split()[0])
        owner.kill()
    assert wait_for_end(pid)
