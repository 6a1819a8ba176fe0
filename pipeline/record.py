"""The run record: seconds, kWh and kg CO2 of a piece of work, where and on what (codecarbon, offline)."""

import logging
import os
import platform
import time
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)


class Meter:
    """`with Meter(country) as meter: …`, then `meter.record()` and `meter.place()`. It never breaks a run and never asks the network.

    Args:
        country: ISO 3166 code of three letters, for the carbon intensity of its electricity.
    """

    def __init__(self, country: str) -> None:
        self.country = country
        self.seconds = 0.0
        self._tracker: Any = None
        self._emissions: Any = None

    def __enter__(self) -> "Meter":
        try:
            from codecarbon import OfflineEmissionsTracker

            logging.getLogger("codecarbon").setLevel(logging.ERROR)  # it speaks before it reads its own log_level
            self._tracker = OfflineEmissionsTracker(
                country_iso_code=self.country, output_methods=[], log_level="critical", allow_multiple_runs=True
            )
            self._tracker.start()
        except Exception as error:  # whatever codecarbon meets on this machine, the run goes on
            log.warning("no emissions recorded: %s", error)
            self._tracker = None
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        if self._tracker is None:
            return
        try:
            self._tracker.stop()
            self._emissions = self._tracker.final_emissions_data
        except Exception as problem:
            log.warning("no emissions recorded: %s", problem)

    def record(self) -> dict[str, float]:
        """`seconds`, and `kwh` and `kg_co2` where they could be measured."""
        record = {"seconds": self.seconds}
        if self._emissions is not None:
            record |= {"kwh": float(self._emissions.energy_consumed), "kg_co2": float(self._emissions.emissions)}
        return record

    def place(self) -> dict[str, str]:
        """`country`, as it was given, and `hardware`: processors and, as far as codecarbon has found them, GPUs."""
        found = self._emissions
        processor = getattr(found, "cpu_model", None) or platform.processor() or platform.machine()
        gpus = getattr(found, "gpu_model", None)
        return {
            "country": self.country,
            "hardware": f"{os.cpu_count()} x {processor}" + (f", {gpus}" if gpus else ""),
        }
