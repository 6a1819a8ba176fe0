"""Tables of costs: sums over cells, what is not known, and the original study beside them."""

from typing import Any

import pytest

from lookbook.reporting.costs import CellCosts
from lookbook.reporting.energy import add_energy
from lookbook.reporting.tables.cost import ESTIMATED, MEASURED, recommender_costs_table, stage_costs_table

MACHINE = {"processor": "AMD EPYC", "cpus": 2, "memory_bytes": 8 * 2**30}


def costs(seconds: float, gib: float = 1.0, **more: Any) -> dict[str, Any]:
    measured = {"seconds": seconds, "cpu_seconds": seconds, "peak_memory_bytes": int(gib * 2**30)}
    return MACHINE | measured | {"device": "cpu"} | more


CELLS = [
    CellCosts("caption_score", "", costs(3600.0)),
    CellCosts("rec_tune", "bpr", costs(1800.0)),
    CellCosts("rec_fit", "bpr", costs(360.0, gib=3.0)),
    CellCosts("rec_fit", "bpr", None),
    CellCosts("rec_fit_text", "vbpr-sbert", costs(720.0)),
    CellCosts("rec_rank_arrivals_text", "vbpr-sbert", costs(36.0)),
]


def test_stages_have_the_sums_of_their_cells_beside_the_original_study() -> None:
    table = stage_costs_table(CELLS, "DEU")
    assert table is not None
    rows = {row[0]: row[1:5] for row in table.rows}
    assert rows == {
        "caption_score": ["1", "1 h", "1 h", "1"],
        "rec_tune": ["1", "30 min", "30 min", "1"],
        "rec_fit": ["1 of 2", "6 min", "6 min", "3"],
        "rec_fit_text": ["1", "12 min", "12 min", "1"],
        "rec_rank_arrivals_text": ["1", "36 s", "36 s", "1"],
        "all stages": ["5 of 6", "1.81 h", "1.81 h", "3"],
        "the original study": ["", "168 h", "n/a", "n/a"],
    }
    assert table.rows[-1][-1] == "29"
    kwh = table.frame.set_index("stage")["kwh"]
    known = [add_energy(cell.costs, "DEU")["kwh"] for cell in CELLS if cell.costs]
    assert kwh["all stages"] == pytest.approx(sum(known)) == pytest.approx(kwh[:-2].sum())
    assert (ESTIMATED in table.notes, MEASURED in table.notes) == (True, False)


def test_recommenders_have_their_tuning_fitting_and_ranking() -> None:
    table = recommender_costs_table(CELLS, "DEU")
    assert table is not None
    assert [row[:6] for row in table.rows] == [
        ["BPR-MF", "2 of 3", "30 min", "6 min", "n/a", "36 min"],
        ["VBPR sbert", "2", "n/a", "12 min", "36 s", "12.6 min"],
    ]
    seconds = table.frame[["tuning_seconds", "fitting_seconds", "ranking_seconds"]].sum(axis=1)
    assert list(seconds) == list(table.frame["seconds"])


def test_energy_that_a_gpu_cell_could_not_measure_is_no_smaller_sum() -> None:
    gpu = [costs(10.0, device="cuda", kwh=0.5, kg_co2=0.2), costs(10.0, device="cuda")]
    table = stage_costs_table([CellCosts("caption_train", "", cell) for cell in gpu], "DEU")
    assert table is not None
    assert table.rows[0][-2:] == ["n/a", "n/a"]
    assert (ESTIMATED in table.notes, MEASURED in table.notes) == (False, True)
    alone = stage_costs_table([CellCosts("caption_train", "", gpu[0])], "DEU")
    assert alone is not None
    assert alone.rows[0][-2:] == ["0.5", "0.2"]


def test_no_costs_give_no_table() -> None:
    assert stage_costs_table([], "DEU") is None
    assert recommender_costs_table(CELLS[:1], "DEU") is None
    assert recommender_costs_table([CellCosts("rec_fit", "bpr", None)], "DEU") is None
