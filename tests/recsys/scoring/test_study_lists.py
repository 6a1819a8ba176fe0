"""Files of lists are read into arrays, and lists that are too short are refused."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.errors import UserError
from recsys.scoring.study_lists import read_study_lists


def test_lists_that_cannot_be_filled_are_named_beside_a_small_top_k(tmp_path: Path) -> None:
    rows = {"candidates": ["all"] * 3, "run": [0] * 3, "user": [0, 0, 1], "item": [4, 2, 4], "rank": [1, 2, 1]}
    pd.DataFrame(rows).to_parquet(tmp_path / "mostpop.parquet")
    assert read_study_lists(tmp_path / "mostpop.parquet", 2, [1, 2])["all", 0].tolist() == [[4, 2], [4, -1]]
    with pytest.raises(UserError) as refusal:
        read_study_lists(tmp_path / "mostpop.parquet", 2, [5, 12])
    assert str(refusal.value) == (
        f"rec_score.cutoffs: 12 is more than the 2 items of the lists in {tmp_path}/mostpop.parquet; "
        "set rec_fit.top_k to 12 or more; where it is, the catalogue has fewer unseen items for everyone than "
        "that: lower rec_score.cutoffs"
    )
