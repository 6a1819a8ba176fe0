"""What the cells of a study cost: the files of data/costs, and the cells that have none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lookbook.reporting.cells import Cell
from lookbook.reporting.formatting import Values
from pipeline.core.outputs import read_json
from recsys.scoring.arms import build_name

ITSELF = "report"  # its costs are written when it has ended


@dataclass(frozen=True)
class CellCosts:
    """What a cell of the line cost.

    Attributes:
        stage: Its stage.
        recommender: Its recommender, with features where it has some; empty in a stage of none.
        costs: Its file of data/costs; None where there is none.
    """

    stage: str
    recommender: str
    costs: Values | None


def read_costs(folder: Path, cells: Sequence[Cell]) -> list[CellCosts]:
    """Read the costs of the cells that the line has, in its order; none where no cell has costs.

    A file of a cell that left the line may still lie there. It is not read.

    Args:
        folder: data/costs.
        cells: Of the line.
    """
    costs = [
        CellCosts(cell.stage, _name_recommender(cell.item), _read(Path(path)))
        for cell in cells
        for path in cell.outputs
        if folder in Path(path).parents and cell.stage != ITSELF
    ]
    return costs if any(cell.costs for cell in costs) else []


def _name_recommender(item: object) -> str:
    if not isinstance(item, dict) or "recommender" not in item:
        return ""
    return build_name(item["recommender"], item.get("features"))


def _read(path: Path) -> Values | None:
    return read_json(path) if path.exists() else None
