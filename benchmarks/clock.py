"""A clock of wall and CPU seconds that counts functions of other modules as parts."""

import resource
import time
from collections.abc import Callable
from typing import Any


class Clock:
    """Counts wall and CPU seconds of this process, divided into parts."""

    def __init__(self) -> None:
        self.start = self.now()
        self.parts: dict[str, tuple[float, float]] = {}

    @staticmethod
    def now() -> tuple[float, float]:
        """Return wall and CPU seconds."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return time.perf_counter(), usage.ru_utime + usage.ru_stime

    def since(self, start: tuple[float, float]) -> tuple[float, float]:
        """Return wall and CPU seconds since then."""
        wall, cpu = self.now()
        return wall - start[0], cpu - start[1]

    def watch(self, module: Any, name: str, part: str) -> None:
        """Count the seconds of `module.name` as `part` from now on."""
        function: Callable[..., Any] = getattr(module, name)
        self.parts.setdefault(part, (0.0, 0.0))

        def run_timed(*args: Any, **kwargs: Any) -> Any:
            start = self.now()
            result = function(*args, **kwargs)
            seconds = self.since(start)
            self.parts[part] = (self.parts[part][0] + seconds[0], self.parts[part][1] + seconds[1])
            return result

        setattr(module, name, run_timed)
