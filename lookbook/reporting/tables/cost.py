"""The tables of what stages, recommenders and fine-tuning cost, beside the original study."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from lookbook.reporting.costs import CellCosts
from lookbook.reporting.energy import add_energy
from lookbook.reporting.formatting import Table, Values, name_of

PUBLISHED = {"seconds": 168 * 3600.0, "kg_co2": 29.03}  # all trainings of the original study
ORIGINAL = "the original study"
Costs = dict[str, float | None]
COLUMNS = {"seconds": "Hours", "kwh": "kWh", "kg_co2": "kg CO2"}
OF_CELLS = {"seconds": "Time", "cpu_seconds": "CPU time", "peak_memory_bytes": "Peak GiB"}
OF_CELLS |= {"kwh": "kWh", "kg_co2": "kg CO2"}
COUNTS = {"cells": "Int64", "recorded": "Int64"}  # whole numbers, or none
HOW = (
    "Time is by the clock, CPU time that of all cores; the peak is that of the largest process. A cell that was "
    "stopped and resumed counts its last attempt alone; of work on a Ray cluster only the time counts. The column of "
    "cells says how many have their costs, where not all do."
)
MEASURED = "On a GPU codecarbon measures kWh and kg CO2."
ESTIMATED = (
    "kWh and kg CO2 of work on a CPU are an estimate: codecarbon's model of power, from the processor's name, its mean "
    "load by that work and the machine's memory, times the seconds, for the electricity of the country in params.yaml."
)
WORKS = {"rec_tune": "Tuning", "rec_fit": "Fitting", "rec_rank": "Ranking"}  # beginning of a stage's name -> heading


def cost_table(runs: Mapping[str, Values]) -> Table | None:
    """Return seconds, energy and emissions of each fine-tuning and their sum; None where none was recorded.

    Args:
        runs: Captioner -> metrics/train/<captioner>.json.
    """
    if not runs:
        return None
    values: dict[str, Costs] = {
        f"fine-tuning {name}": {key: run.get(key) for key in COLUMNS} for name, run in runs.items()
    }
    sums = {key: _add_up([row[key] for row in values.values()]) for key in COLUMNS}
    values |= {"all fine-tuning": sums, ORIGINAL: {key: PUBLISHED.get(key) for key in COLUMNS}}
    body = [[stage, *(_format_hours(key, costs[key]) for key in COLUMNS)] for stage, costs in values.items()]
    frame = pd.DataFrame([{"stage": stage} | costs for stage, costs in values.items()])
    notes = [
        "Measured by codecarbon on the machine of each run, for the electricity of the country in params.yaml. Times "
        "differ on every run, and the report is not written again for them alone. A fine-tuning that was stopped and "
        "resumed counts all its parts; the figures of the original study are those of all its trainings."
    ]
    header = ["Stage", *COLUMNS.values()]
    return Table("cost", "What fine-tuning cost", header, body, 1, frame, notes, heading_of=COLUMNS)


def stage_costs_table(cells: Sequence[CellCosts], country: str) -> Table | None:
    """Return what the cells of each stage cost, and their sum; None where no cell has costs.

    Args:
        cells: Of the line.
        country: Whose electricity an estimate is for.
    """
    if not cells:
        return None
    rows = _sum_by(cells, country, lambda cell: cell.stage) | _sum_by(cells, country, lambda _: "all stages")
    rows[ORIGINAL] = dict.fromkeys(("cells", "recorded", *OF_CELLS)) | PUBLISHED
    body = [[name, _count(row), *(_format(key, row[key]) for key in OF_CELLS)] for name, row in rows.items()]
    frame = pd.DataFrame([{"stage": name} | row for name, row in rows.items()]).astype(COUNTS)
    notes = [HOW, *_explain_energy(cells), "The figures of the original study are those of its trainings alone."]
    header, heading_of = ["Stage", "Cells", *OF_CELLS.values()], dict.fromkeys(COUNTS, "Cells") | OF_CELLS
    return Table("cost-stages", "What each stage cost", header, body, 1, frame, notes, heading_of=heading_of)


def recommender_costs_table(cells: Sequence[CellCosts], country: str) -> Table | None:
    """Return what tuning, fitting and ranking each recommender cost; None where no such cell has costs.

    Args:
        cells: Of the line.
        country: Whose electricity an estimate is for.
    """
    cells = [cell for cell in cells if cell.recommender]
    if not any(cell.costs for cell in cells):
        return None
    rows = _sum_by(cells, country, lambda cell: cell.recommender)
    for start, work in WORKS.items():
        of_work = _sum_by([cell for cell in cells if cell.stage.startswith(start)], country, lambda c: c.recommender)
        for name, row in rows.items():
            row[f"{work.lower()}_seconds"] = of_work[name]["seconds"] if name in of_work else None
    keys = [*(f"{work.lower()}_seconds" for work in WORKS.values()), *OF_CELLS]
    body = [[name_of(name), _count(row), *(_format(key, row[key]) for key in keys)] for name, row in rows.items()]
    frame = pd.DataFrame([{"recommender": name} | row for name, row in rows.items()]).astype(COUNTS)
    header = ["Recommender", "Cells", *WORKS.values(), *OF_CELLS.values()]
    notes = [HOW, "Features, which several recommenders share, are not counted here.", *_explain_energy(cells)]
    heading_of = dict.fromkeys(COUNTS, "Cells") | dict(zip(keys, header[2:], strict=True))
    title = "What each recommender cost"
    return Table("cost-recommenders", title, header, body, 1, frame, notes, heading_of=heading_of)


def _sum_by(cells: Sequence[CellCosts], country: str, choose: Callable[[CellCosts], str]) -> dict[str, Costs]:
    """Sum the costs of cells by a name, in the order of the cells; of memory, take the largest."""
    groups: dict[str, list[Values]] = {}
    counts: dict[str, int] = {}
    for cell in cells:
        name = choose(cell)
        counts[name] = counts.get(name, 0) + 1
        groups.setdefault(name, []).extend([add_energy(cell.costs, country)] if cell.costs else [])
    sums: dict[str, Costs] = {}
    for name, costs in groups.items():
        row = {key: _add_up([cost.get(key) for cost in costs]) for key in OF_CELLS}
        row["peak_memory_bytes"] = max((cost["peak_memory_bytes"] for cost in costs), default=None)
        sums[name] = {"cells": counts[name], "recorded": len(costs)} | row
    return sums


def _explain_energy(cells: Sequence[CellCosts]) -> list[str]:
    devices = {cell.costs["device"] for cell in cells if cell.costs}
    return [words for device, words in {"cuda": MEASURED, "cpu": ESTIMATED}.items() if device in devices]


def _count(row: Costs) -> str:
    if row["cells"] is None:
        return ""
    return f"{row['cells']:.0f}" if row["recorded"] == row["cells"] else f"{row['recorded']:.0f} of {row['cells']:.0f}"


def _add_up(values: list[float | None]) -> float | None:
    """Return the sum; None where there is nothing, or one is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _format_hours(key: str, value: float | None) -> str:
    return _format(key, value) if value is None or key != "seconds" else f"{value / 3600:,.3g}"


def _format(key: str, value: float | None) -> str:
    if value is None:
        return "n/a"
    if key == "peak_memory_bytes":
        return f"{value / 2**30:,.3g}"
    return _format_time(value) if key.endswith("seconds") else f"{value:,.3g}"


def _format_time(seconds: float) -> str:
    """Return a time in the unit that suits it: that of a cell of the sample, and of a week.

    >>> _format_time(1.377), _format_time(90.0), _format_time(604800.0)
    ('1.38 s', '1.5 min', '168 h')
    """
    unit, length = ("s", 1) if seconds < 60 else ("min", 60) if seconds < 3600 else ("h", 3600)
    return f"{seconds / length:,.3g} {unit}"
