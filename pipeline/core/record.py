"""What work costs: seconds, memory, kWh and kg CO2 of a cell or of a part of it (codecarbon, offline)."""

import importlib.util
import json
import logging
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)
COSTS = Path("data/costs")
TIMED = (Path("metrics/train"), COSTS)  # outputs that hold times: they differ on every run, and make nothing stale
PARAMS = Path("params.yaml")
ON_A_GPU = re.compile(r"^device:\s*['\"]?cuda\b", re.MULTILINE)
COUNTRIES = "data/private_infra/global_energy_mix.json"  # of codecarbon: three letters -> the country's electricity


def check_country(code: str) -> str:
    """Return the code of a country whose electricity codecarbon knows.

    Raises:
        ValueError: there is no such country, for which codecarbon would silently take the world's mean.
    """
    package = importlib.util.find_spec("codecarbon")
    folder = Path(((package and package.submodule_search_locations) or [""])[0])
    if not (folder / COUNTRIES).is_file():  # without codecarbon nothing is measured
        return code
    known = json.loads((folder / COUNTRIES).read_text(encoding="utf-8"))
    if code not in known:
        similar = [name for name in known if name[:2] == code[:2].upper()]
        raise ValueError(
            f"{code!r} is no country with a known electricity mix; use its ISO 3166 code of three letters, such as "
            f"{', '.join(sorted(similar) or ['AUT', 'DEU', 'USA'])}"
        )
    return code


def _make_tracker(country: str) -> Any:
    """Make codecarbon's tracker without its configuration files and variables.

    They may multiply our figures, or lose them: a folder that does not exist breaks the tracker.
    """
    from codecarbon import OfflineEmissionsTracker, emissions_tracker

    logging.getLogger("codecarbon").setLevel(logging.ERROR)  # it logs before it reads its own log_level
    read_configuration = emissions_tracker.get_hierarchical_config
    emissions_tracker.get_hierarchical_config = dict
    try:
        return OfflineEmissionsTracker(
            country_iso_code=country, output_methods=[], log_level="critical", allow_multiple_runs=True
        )
    finally:
        emissions_tracker.get_hierarchical_config = read_configuration


class Meter:
    """Measures a block of code: `with Meter("AUT") as meter: …`, then `meter.record()` and `meter.where_it_ran()`.

    It never breaks a run and uses no network.

    Args:
        country: ISO 3166 code of three letters, for the carbon intensity of its electricity.
    """

    def __init__(self, country: str) -> None:
        self.country = country
        self.seconds = 0.0
        self._tracker: Any = None
        self._emissions: Any = None

    def __enter__(self) -> "Meter":
        """Start to measure."""
        try:
            self._tracker = _make_tracker(self.country)
            self._tracker.start()
        except Exception as error:  # codecarbon may fail in many ways; the run continues
            log.warning("no emissions recorded: %s", error)
            self._tracker = None
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to measure; an error of the block is raised further."""
        self.seconds = time.perf_counter() - self._start
        if self._tracker is None:
            return
        try:
            self._tracker.stop()
            self._emissions = self._tracker.final_emissions_data
        except Exception as problem:
            log.warning("no emissions recorded: %s", problem)

    def record(self) -> dict[str, float]:
        """Return `seconds`, and `kwh` and `kg_co2` where they could be measured."""
        record = {"seconds": self.seconds}
        if self._emissions is not None:
            record |= {"kwh": float(self._emissions.energy_consumed), "kg_co2": float(self._emissions.emissions)}
        return record

    def where_it_ran(self) -> dict[str, str]:
        """Return `country`, and `hardware`: processors, and the GPUs that codecarbon detects."""
        processor = getattr(self._emissions, "cpu_model", None) or platform.processor() or platform.machine()
        gpus = getattr(self._emissions, "gpu_model", None)
        return {
            "country": self.country,
            "hardware": f"{os.cpu_count()} x {processor}" + (f", {gpus}" if gpus else ""),
        }


@contextmanager
def record_costs(has_device: bool) -> Iterator[None]:
    """Write what a cell of the line costs to data/costs, when the block succeeds; nothing where `dvc` runs no cell.

    Of a cell that was stopped and resumed, the file holds the last attempt alone. Processes that torchrun started
    write nothing: they are counted in the process that started them.

    Args:
        has_device: Whether the stage works on the device of params.yaml. If that is a GPU, codecarbon measures kWh and
            kg CO2. Nothing measures a CPU, since to start codecarbon takes longer than many a cell: the report
            estimates.

    Raises:
        UserError: params.yaml names a GPU, and is no YAML.
    """
    path = find_cost_file(os.environ.get("DVC_STAGE", ""))
    if path is None or "TORCHELASTIC_RUN_ID" in os.environ:
        yield
        return
    country = _find_country() if has_device else None
    with Meter(country) if country else nullcontext() as meter:
        try:
            yield
        except SystemExit as ended:  # as of a process that has waited for those that it started
            if ended.code:
                raise
    _write_costs(path, meter)


def record_costs_by_hand(cell: str, meter: Meter | None = None) -> None:
    """Write what a cell cost that is run without `dvc`, so that `dvc commit` finds all its outputs; else do nothing.

    The costs are those of this process and of those that it started.

    Args:
        cell: Its name, such as `caption_train@llava-1.5-13b`.
        meter: What measured a GPU.
    """
    path = find_cost_file(cell)
    if "DVC_STAGE" not in os.environ and path is not None:
        _write_costs(path, meter)


def find_cost_file(cell: str) -> Path | None:
    """Return the file with the costs of a cell; None where there is no cell.

    Args:
        cell: As DVC names it in DVC_STAGE; in a folder below the project's, the path of dvc.yaml comes first.

    >>> find_cost_file("rec_fit@original-userknn").as_posix(), find_cost_file("../dvc.yaml:compare").as_posix()
    ('data/costs/rec_fit/original-userknn.json', 'data/costs/compare.json')
    """
    stage, _, key = cell.rpartition(":")[2].partition("@")
    return COSTS / stage / f"{key}.json" if key else COSTS / f"{stage}.json" if stage else None


def _find_country() -> str | None:
    """Return the country of params.yaml where its device is a GPU. Most cells read one line: YAML takes its time."""
    if not PARAMS.is_file() or not ON_A_GPU.search(PARAMS.read_text(encoding="utf-8", errors="replace")):
        return None
    from pipeline.core.params import load

    values = load(PARAMS)
    return values.get("caption_train", {}).get("country") if values.get("device") == "cuda" else None


def _write_costs(path: Path, meter: Meter | None) -> None:
    from pipeline.core.outputs import write_json

    write_json(path, measure_process() | ({"device": "cpu"} if meter is None else _describe_gpu_costs(meter)))


def _describe_gpu_costs(meter: Meter) -> dict[str, Any]:
    """Return device, country and what codecarbon measured; its seconds lack those in which Python started."""
    energy = {name: value for name, value in meter.record().items() if name != "seconds"}
    return {"device": "cuda", **energy, **meter.where_it_ran()}


def measure_process() -> dict[str, Any]:
    """Measure this process from its start on, and describe the machine.

    Returns:
        seconds: wall-clock, the start of Python included.
        cpu_seconds: of this process and of those that it started and waited for, on all cores.
        peak_memory_bytes: of the largest of these processes.
        processor, cpus, memory_bytes: the machine's.
    """
    import psutil

    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": _read_age(),
        "cpu_seconds": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "peak_memory_bytes": max(_read_own_peak() or _to_bytes(own.ru_maxrss), _to_bytes(children.ru_maxrss)),
        "processor": name_processor(),
        "cpus": psutil.cpu_count() or 1,
        "memory_bytes": psutil.virtual_memory().total,
    }


def name_processor() -> str:
    """Return the model of the processor, or its kind where the system does not tell."""
    return _read_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()


def _read_age() -> float:
    """Return the seconds since this process began; psutil knows them to a second, /proc to ten milliseconds."""
    if sys.platform != "linux":
        import psutil

        return time.time() - psutil.Process().create_time()
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()  # a name may hold blanks
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _read_own_peak() -> int:
    """Return the peak memory of this process in bytes; 0 without /proc. `ru_maxrss` would hold that of `dvc`."""
    return int(_read_field(Path("/proc/self/status"), "VmHWM").removesuffix(" kB") or 0) * 1024


def _to_bytes(maxrss: int) -> int:
    return maxrss * (1 if sys.platform == "darwin" else 1024)


def _read_field(path: Path, name: str) -> str:
    """Return the value of the first line `name: value` of a file of /proc; empty where there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name), "")
