"""The files of a cell: contributions add up to the figures, and the factors rank the arrivals as they were ranked."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from recsys.arrivals import tables
from recsys.arrivals.everything import draw_everyone
from recsys.arrivals.rankings import rank_runs, summarise_source
from recsys.arrivals.tables import write_rankings, write_similarities
from recsys.recommenders import vbpr
from tests.recsys.arrivals.examples import Example, draw_example

K = 3


@pytest.fixture
def example(tmp_path: Path) -> Example:
    (tmp_path / "models").mkdir()
    return draw_example(tmp_path / "models")


@pytest.fixture
def written(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, float]]:
    """Write the files to `written/`, and return the figures of each source."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tables, "BLOCK_USERS", 4)
    everyone = draw_everyone(example.arrivals, example.split, 1000, 0)
    rankings = rank_runs(vbpr, example.folder, example.arrivals, example.sources, everyone, K)
    products = example.items.set_index("item_id").loc[example.arrivals.item_ids, "group"].to_numpy()
    Path("written").mkdir()
    write_rankings(Path("written"), example.folder, rankings, example.arrivals, products, K)
    return {source.name: summarise_source(rankings, source.name, example.arrivals, K) for source in example.sources}


def test_contributions_of_hits_add_up_to_the_mean_ndcg(example: Example, written: dict[str, dict[str, float]]) -> None:
    table, users = (pd.read_parquet(f"written/{name}.parquet") for name in ("contributions", "users"))
    assert [str(kind) for kind in table.dtypes] == ["category", "int32", "int32", "int32", "float64"]
    assert (table["contribution"] > 0).all()
    assert users["user"].tolist() == example.arrivals.data.users[example.arrivals.users].tolist()
    assert (users["relevant"] > 0).all()
    assert set(table["user"]) <= set(users["user"])
    for source, rows in table.groupby("source", observed=True):
        assert rows["contribution"].sum() / len(users) / 2 == pytest.approx(written[source][f"ndcg_{K}"])


def test_the_factors_rank_the_arrivals_as_they_were_ranked(written: dict[str, dict[str, float]]) -> None:
    """What a randomisation test does: score, sort, and look up what each user bought."""
    factors, about = load_file("written/factors.safetensors"), json.loads(Path("written/factors.json").read_text())
    arrivals, users = (pd.read_parquet(f"written/{name}.parquet") for name in ("arrivals", "users"))
    contributions = pd.read_parquet("written/contributions.parquet")
    assert about == {"sources": ["none", "other", "reference"], "runs": [0, 1], "k": K}
    for source in about["sources"]:
        for run in about["runs"]:
            items, bias = (factors[f"{name}-{source}-{run}"] for name in ("items", "bias"))
            scores = factors[f"users-{run}"] @ items.T + bias
            best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
            listed = {
                (user, item): rank
                for user, row in zip(users["user"], best, strict=True)
                for rank, item in enumerate(arrivals["item"].to_numpy()[row])
            }
            rows = contributions[(contributions["source"] == source) & (contributions["run"] == run)]
            relevant = users.set_index("user")["relevant"]
            for user, item, value in zip(rows["user"], rows["item"], rows["contribution"], strict=True):
                ideal = sum(1 / np.log2(np.arange(min(K, relevant[user])) + 2))
                assert value == pytest.approx(1 / np.log2(listed[user, item] + 2) / ideal)


def test_arrivals_have_their_ids_and_products(example: Example, written: dict[str, dict[str, float]]) -> None:
    table = pd.read_parquet("written/arrivals.parquet")
    assert table["item"].tolist() == example.arrivals.items.tolist()
    assert table["item_id"].tolist() == example.arrivals.item_ids
    assert table["product"].tolist() == [item // 8 for item in example.arrivals.items]


def test_similarities_are_listed_by_source_and_item(example: Example, tmp_path: Path) -> None:
    items = example.arrivals.items
    ascending = np.arange(len(items)) / len(items)
    write_similarities(tmp_path, {"reference": np.ones(len(items)), "none": ascending}, example.arrivals)
    table = pd.read_parquet(tmp_path / "similarities.parquet").astype({"source": str})
    assert table["source"].tolist() == ["reference"] * len(items) + ["none"] * len(items)
    assert table["item"].tolist() == [*items, *items]
    assert table["similarity"].tolist() == [*np.ones(len(items)), *ascending]
    write_similarities(tmp_path, {}, example.arrivals)
    assert pd.read_parquet(tmp_path / "similarities.parquet").empty
