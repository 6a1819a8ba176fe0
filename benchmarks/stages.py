"""python benchmarks/stages.py: runs `dvc repro` and prints where the seconds went, by stage: imports, and work.

Imports are Python's own count (`PYTHONPROFILEIMPORTTIME`), which makes them some 10 % slower; DVC's share is what lies
between a stage's end and the next one's start. Cells of a stage are added up. Run it where nothing is done yet.
"""

import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator

STARTED = re.compile(r"Running stage '([^'@]+)")
ENDED = re.compile(r"(Updating|Generating) lock file")
IMPORT = re.compile(r"import time:\s+(\d+) \|")


def lines_of(command: list[str]) -> Iterator[str]:
    """Standard output and error of a command, line by line, as they come.

    Raises:
        CalledProcessError: it ended with another status than 0.
    """
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        yield from process.stdout
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def seconds_by_stage(lines: Iterable[str]) -> dict[str, dict[str, float]]:
    """`{stage: {"cells", "seconds", "imports"}}` of a `dvc repro`; what no cell was running for counts as `dvc`."""
    table: dict[str, dict[str, float]] = defaultdict(lambda: {"cells": 0, "seconds": 0.0, "imports": 0.0})
    stage, since = "dvc", time.perf_counter()
    for line in lines:
        now = time.perf_counter()
        if line.startswith("import time:"):
            found = IMPORT.match(line)  # None: the head of the table
            table[stage]["imports"] += int(found[1]) / 1e6 if found else 0
            continue
        print(line, end="", flush=True)
        if (started := STARTED.search(line)) or (ENDED.match(line) and stage != "dvc"):
            table[stage]["seconds"] += now - since
            stage, since = started[1] if started else "dvc", now
            table[stage]["cells"] += bool(started)
    table[stage]["seconds"] += time.perf_counter() - since
    return dict(table)


def show(table: dict[str, dict[str, float]]) -> None:
    print(f"\n{'stage':24}{'cells':>6}{'seconds':>9}{'imports':>9}{'work':>9}")
    total = {name: sum(row[name] for row in table.values()) for name in ("cells", "seconds", "imports")}
    for stage, row in [*table.items(), ("all", total)]:
        work = row["seconds"] - row["imports"]
        print(f"{stage:24}{row['cells']:6.0f}{row['seconds']:9.1f}{row['imports']:9.1f}{work:9.1f}")


if __name__ == "__main__":
    show(seconds_by_stage(lines_of([sys.executable, "-m", "dvc", "repro"])))
