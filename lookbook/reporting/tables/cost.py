"""The table of what training cost, beside the original study."""

from collections.abc import Mapping

import pandas as pd

from lookbook.reporting.formatting import Table, Values

PUBLISHED = {"seconds": 168 * 3600.0, "kg_co2": 29.03}  # all trainings of the original study
Costs = dict[str, float | None]
COLUMNS = {"seconds": "Hours", "kwh": "kWh", "kg_co2": "kg CO2"}


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
    values |= {"all fine-tuning": sums, "the original study": {key: PUBLISHED.get(key) for key in COLUMNS}}
    body = [[stage, *(_format(key, costs[key]) for key in COLUMNS)] for stage, costs in values.items()]
    frame = pd.DataFrame([{"stage": stage} | costs for stage, costs in values.items()])
    notes = [
        "Measured by codecarbon on the machine of each run, for the electricity of the country in params.yaml. Times "
        "differ on every run, and the report is not written again for them alone. Only fine-tuning is recorded; the "
        "figures of the original study are those of all its trainings."
    ]
    return Table("cost", "What fine-tuning cost", ["Stage", *COLUMNS.values()], body, 1, frame, notes)


def _add_up(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _format(key: str, value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value / 3600:,.3g}" if key == "seconds" else f"{value:,.3g}"
