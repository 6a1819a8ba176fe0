"""Energy on a CPU is estimated as codecarbon's own tracker does it, from the costs that a cell writes."""

import platform

import pytest
from codecarbon.core.util import detect_cpu_model
from codecarbon.external.hardware import CPU

from lookbook.reporting.energy import add_energy, estimate_watts, read_carbon_intensity, read_power
from pipeline.core.record import Meter, measure_process

EPYC = {"processor": "AMD EPYC 7742 64-Core Processor", "cpus": 128, "memory_bytes": 16 * 2**30}


class Load:
    """The load that codecarbon reads of a machine, in percent."""

    def __init__(self, percent: float) -> None:
        self._percent = percent

    def percent(self) -> float:
        return self._percent


@pytest.mark.parametrize("load", [0.0, 0.25, 0.5, 1.0])
def test_the_power_of_a_processor_grows_with_its_load_as_codecarbon_says(load: float) -> None:
    processor, memory = read_power(**EPYC)
    assert (processor, memory) == (225.0, 10.0)  # codecarbon's registry; two modules of 8 GB
    theirs = CPU.from_utils(".", "cpu_load", EPYC["processor"], 225)
    theirs._cpu_load_meter = Load(100 * load)
    costs = EPYC | {"device": "cpu", "seconds": 3600.0, "cpu_seconds": 3600.0 * load * 128}
    assert estimate_watts(costs) == pytest.approx(theirs.total_power().W + memory)


def test_an_hour_at_full_load_is_the_power_in_kwh_and_the_countrys_co2() -> None:
    costs = EPYC | {"device": "cpu", "seconds": 3600.0, "cpu_seconds": 3600.0 * 128}
    made = add_energy(costs, "DEU")
    assert made["kwh"] == pytest.approx(0.235)
    assert made["kg_co2"] == pytest.approx(0.235 * read_carbon_intensity("DEU"))
    assert add_energy(costs, "POL")["kg_co2"] > made["kg_co2"]
    assert costs.keys() == EPYC.keys() | {"device", "seconds", "cpu_seconds"}


def test_a_load_beyond_all_cores_counts_as_full() -> None:
    """Clocks differ by a few ms."""
    full = EPYC | {"seconds": 10.0, "cpu_seconds": 1280.0}
    assert estimate_watts(full | {"cpu_seconds": 1281.0}) == estimate_watts(full)


def test_a_processor_without_a_name_has_the_power_of_its_cores() -> None:
    assert read_power("", 2, 8 * 2**30)[0] == read_power("AMD EPYC", 2, 8 * 2**30)[0] == 2 * read_power("", 1, 1)[0]


def test_what_was_measured_on_a_gpu_stays() -> None:
    costs = EPYC | {"device": "cuda", "seconds": 10.0, "cpu_seconds": 9.0, "kwh": 0.5, "kg_co2": 0.25}
    assert add_energy(costs, "DEU") == costs
    unknown = EPYC | {"device": "cuda", "seconds": 10.0, "cpu_seconds": 9.0}
    assert "kwh" not in add_energy(unknown, "DEU")


@pytest.mark.timeout(120)
def test_this_machine_is_known_by_the_values_that_codecarbon_takes() -> None:
    with Meter("DEU") as meter:
        pass
    emissions, costs = meter._emissions, measure_process()
    assert read_carbon_intensity("DEU") == pytest.approx(emissions.emissions / emissions.energy_consumed)
    power = read_power(costs["processor"], costs["cpus"], costs["memory_bytes"])
    assert power[1] == emissions.ram_power
    processors = [part for part in meter._tracker._hardware if isinstance(part, CPU) and part._mode == "cpu_load"]
    if platform.machine() != "x86_64" or not processors:
        pytest.skip("codecarbon reads this machine's own counters, or names its processor in another way")
    assert costs["processor"] == detect_cpu_model()
    assert power[0] == processors[0]._tdp
