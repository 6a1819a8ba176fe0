"""The Java process: what it says when it dies, hangs or refuses, and that it never outlives its owner."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from captioning.scores.jvm import JavaError, Jvm, JvmError
from pipeline.errors import UserError


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


def test_a_killed_process_is_named():
    with Jvm() as jvm:
        assert jvm.call("tokenize", texts=["A cap."]) == ["a cap ."]
        os.kill(jvm.pid, signal.SIGKILL)
        with pytest.raises(JvmError, match=rf"{jvm.pid} .*killed by signal 9 during `tokenize`") as caught:
            jvm.call("tokenize", texts=["A cap."])
    assert isinstance(caught.value, UserError)


def test_a_hang_is_noticed_and_named():
    with Jvm(silence_seconds=60) as jvm:
        jvm.call("tokenize", texts=["A cap."])
        jvm.silence_seconds = 0.5
        os.kill(jvm.pid, signal.SIGSTOP)
        with pytest.raises(JvmError, match=r"no answer to `tokenize` for 0\.5 seconds"):
            jvm.call("tokenize", texts=["A cap." * 100_000])  # more than a pipe holds: writing hangs too
        assert not is_running(jvm.pid)


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
        "from captioning.scores.jvm import Jvm\n"
        "jvm = Jvm()\n"
        "print(jvm.pid, jvm.call('tokenize', texts=['a']), flush=True)\n"
        "jvm.call('meteor', pairs=[['a', ['b']]])\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline().split()[0])
        owner.kill()
    assert wait_for_end(pid)
