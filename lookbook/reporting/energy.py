"""An estimate of the energy of work on a CPU, by codecarbon's model: from seconds, load, processor and memory."""

from functools import cache
from typing import Any

from lookbook.reporting.formatting import Values

LEAST_SHARE = 0.1  # of the processor's power, without load; the rest grows by the cube of the load
GIB = 2**30
SECONDS_PER_HOUR = 3600


def add_energy(costs: Values, country: str) -> Values:
    """Return the costs of a cell with `kwh` and `kg_co2`: measured ones as they are, those of a CPU estimated.

    Args:
        costs: A file of data/costs.
        country: ISO 3166 code of three letters, whose electricity the estimate is for.
    """
    if costs["device"] != "cpu":
        return costs
    kwh = estimate_watts(costs) / 1000 * costs["seconds"] / SECONDS_PER_HOUR
    return costs | {"kwh": kwh, "kg_co2": kwh * read_carbon_intensity(country)}


def estimate_watts(costs: Values) -> float:
    """Return the mean power of processor and memory while a cell ran alone on its machine.

    Args:
        costs: A file of data/costs.
    """
    processor, memory = read_power(costs["processor"], costs["cpus"], costs["memory_bytes"])
    load = min(costs["cpu_seconds"] / (costs["seconds"] * costs["cpus"]), 1.0)
    return processor * (LEAST_SHARE + (1 - LEAST_SHARE) * load**3) + memory


@cache
def read_power(processor: str, cpus: int, memory_bytes: int) -> tuple[float, float]:
    """Return the watts that codecarbon gives a processor under full load, and the memory of a machine.

    Args:
        processor: Its name, as /proc/cpuinfo writes it.
        cpus: Logical cores; a processor that codecarbon does not know has as many times the power of one.
        memory_bytes: The memory of the machine.
    """
    from codecarbon.core.cpu import DEFAULT_POWER_PER_CORE, TDP
    from codecarbon.external.ram import RAM

    registry: Any = object.__new__(TDP)  # without a search for this machine's own processor
    known = registry._get_cpu_power_from_registry(processor)
    return float(known or cpus * DEFAULT_POWER_PER_CORE), float(RAM()._calculate_ram_power(memory_bytes / GIB))


@cache
def read_carbon_intensity(country: str) -> float:
    """Return the kg of CO2 of a kWh in a country, as codecarbon knows them without a network."""
    from codecarbon.core.emissions import Emissions
    from codecarbon.core.units import Energy
    from codecarbon.external.geography import GeoMetadata
    from codecarbon.input import DataSource

    place = GeoMetadata(country_iso_code=country, country_name=country)
    return float(Emissions(DataSource()).get_country_emissions(Energy.from_energy(1.0), place))
