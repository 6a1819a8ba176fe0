"""The run record: seconds, kWh and kg CO2 of a piece of work, country and hardware (codecarbon, offline)."""

import importlib.util
import json
import logging
import os
import platform
import time
from pathlib import Path
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)
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
