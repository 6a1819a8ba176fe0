"""What the report reads is the same on every read, to the last bit."""

from pathlib import Path

import numpy as np
import pandas as pd

from lookbook.reporting.results import read_by_buyers


def test_means_by_buyers_do_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"user": np.tile(np.arange(2000), 3), "run": np.repeat([0, 1, 2], 2000), "ndcg_5": rng.random(6000)}
    )
    rows = rows.assign(arm="original", recommender="bpr", slice="buyers:1-2").astype({"user": "int32", "run": "int32"})
    path = tmp_path / "slices.parquet"
    texts = set()
    for seed in range(8):
        rows.sample(frac=1, random_state=seed).to_parquet(path, row_group_size=500)
        frame = read_by_buyers(path)
        assert frame.attrs == {"cutoff": 5}
        texts.add(frame.to_csv())
    assert len(texts) == 1
    assert frame["users"].tolist() == [2000]
