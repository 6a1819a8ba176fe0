"""python benchmarks/stages.py [--imports]: run `dvc repro` and print the seconds of each stage.

CPU seconds, which other programs on the machine hardly change, stand beside them. With --imports, the seconds are also
divided into imports and work: by Python's own count (`PYTHONPROFILEIMPORTTIME`), which makes the run some 10 % slower.
DVC's share is the time between the end of a stage and the start of the next; the CPU seconds of a stage hold what DVC
does before it says that a stage starts or has ended. Cells of a stage are added up. Run it where nothing is done yet.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

STARTED = re.compile(r"Running stage '([^'@]+)")
ENDED = re.compile(r"(Updating|Generating) lock file")
IMPORT = re.compile(r"import time:\s+(\d+) \|")


def count_cpu_seconds(process: int) -> float:
    """Count the CPU seconds of a running process and of its children that have ended (Linux: proc(5), stat)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def run_lines(command: list[str], imports: bool) -> Iterator[tuple[str, float]]:
    """Run a command; yield the lines of its standard output and error while it runs, and its CPU seconds so far.

    Raises:
        CalledProcessError: it ended with another status than 0.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({"PYTHONPROFILEIMPORTTIME": "1"} if imports else {})
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield line, 0.0 if line.startswith("import time:") else count_cpu_seconds(process.pid)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def sum_seconds(lines: Iterable[tuple[str, float]]) -> dict[str, dict[str, float]]:
    """Add up cells, seconds, imports of each stage of a `dvc repro`; the time between cells counts as `dvc`."""
    table: dict[str, dict[str, float]] = defaultdict(lambda: {"cells": 0, "seconds": 0.0, "imports": 0.0, "CPU": 0.0})
    stage, since, cpu_since = "dvc", time.perf_counter(), 0.0
    for line, cpu in lines:
        now = time.perf_counter()
        if line.startswith("import time:"):
            match = IMPORT.match(line)  # None: the head of the table
            table[stage]["imports"] += int(match[1]) / 1e6 if match else 0
            continue
        print(line, end="", flush=True)
        if (started := STARTED.search(line)) or (ENDED.match(line) and stage != "dvc"):
            table[stage]["seconds"] += now - since
            table[stage]["CPU"] += cpu - cpu_since
            stage, since, cpu_since = started[1] if started else "dvc", now, cpu
            table[stage]["cells"] += bool(started)
    table[stage]["seconds"] += time.perf_counter() - since
    return dict(table)


def show(table: dict[str, dict[str, float]], imports: bool) -> None:
    """Print a row per stage, and their sum; imports only where they were counted."""
    names = ["cells", "seconds", *(["imports", "work"] if imports else []), "CPU"]
    rows = {stage: row | {"work": row["seconds"] - row["imports"]} for stage, row in table.items()}
    rows["all"] = {name: sum(row[name] for row in rows.values()) for name in names}
    print(f"\n{'stage':24}" + "".join(f"{name:>9}" for name in names))
    for stage, row in rows.items():
        print(f"{stage:24}" + "".join(f"{row[name]:9.{0 if name == 'cells' else 1}f}" for name in names))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time the stages of `dvc repro`.")
    parser.add_argument("--imports", action="store_true", help="count the seconds of imports, too")
    imports = parser.parse_args().imports
    show(sum_seconds(run_lines([sys.executable, "-m", "dvc", "repro"], imports)), imports)
