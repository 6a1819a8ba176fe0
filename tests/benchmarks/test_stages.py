"""The table of seconds by stage, from lines as `dvc repro` prints them."""

import importlib.util
from pathlib import Path

SOURCE = Path(__file__).parent.parent.parent / "benchmarks" / "stages.py"
spec = importlib.util.spec_from_file_location("stages", SOURCE)
assert spec is not None
assert spec.loader is not None
stages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stages)

LINES = [
    "import time: self [us] | cumulative | imported package",
    "import time:      1000 |       1000 | dvc",
    "Running stage 'rec_fit@all-bpr':",
    "> python -m recsys.fit",
    "import time:   2000000 |    2500000 | torch",
    "Updating lock file 'dvc.lock'",
    "Running stage 'rec_fit@all-random':",
    "import time:    500000 |     500000 |   numpy",
    "Updating lock file 'dvc.lock'",
    "Running stage 'compare':",
]


def test_cells_of_a_stage_are_added_up_and_imports_are_told_from_work(capsys) -> None:
    table = stages.sum_seconds((f"{line}\n", float(number)) for number, line in enumerate(LINES))
    assert {stage: row["cells"] for stage, row in table.items()} == {"dvc": 0, "rec_fit": 2, "compare": 1}
    assert table["rec_fit"]["imports"] == 2.5
    assert table["dvc"]["imports"] == 0.001
    assert {stage: row["CPU"] for stage, row in table.items()} == {"dvc": 4, "rec_fit": 5, "compare": 0}
    assert all(row["seconds"] >= 0 for row in table.values())
    assert "import time" not in capsys.readouterr().out
