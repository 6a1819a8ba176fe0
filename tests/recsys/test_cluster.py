"""The split, neighbours, lists and scores on a real Ray cluster of two nodes: the bytes of one process."""

import shutil
import sys
from pathlib import Path

import pytest

import recsys.ranking.recommend
import recsys.recommenders._neighbours
from recsys import features, fit, interactions, score, tune
from recsys.purchases import ranges
from tests.helpers.ray_nodes import Nodes, needs_ray
from tests.helpers.repository import ROOT
from tests.recsys.encoding.examples import write_study

pytestmark = needs_ray


@pytest.mark.parametrize(
    ("recommender", "changes"),
    [("itemknn", {}), ("userknn", {}), ("userknn", {"hood: elliot": "hood: standard", "sample: 0.0": "sample: 0.5"})],
)
def test_two_nodes_write_the_lists_and_the_choice_of_one_process(
    two_nodes: Nodes, study: Path, monkeypatch: pytest.MonkeyPatch, recommender: str, changes: dict[str, str]
) -> None:
    """In ranges of seven rows, of both catalogues' candidates; also of a sample of users."""
    params = Path("params.yaml")
    for old, new in changes.items():
        assert old in params.read_text()
        params.write_text(params.read_text().replace(old, new))
    monkeypatch.setattr(recsys.recommenders._neighbours, "ROWS", 7)
    monkeypatch.setattr(recsys.ranking.recommend, "BLOCK_USERS", 7)
    expected = run_stages(monkeypatch, recommender)
    changed = params.read_text().replace("cluster: none", "cluster: ray").replace("threads: 2", "threads: 1")
    assert "cluster: ray" in changed
    params.write_text(changed)
    assert run_stages(monkeypatch, recommender) == expected
    assert sys.modules["ray"].is_initialized()
    assert list(Path(".checkpoints").iterdir()) == []


def test_two_nodes_encode_the_texts_of_one_process(two_nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study()
    params = (ROOT / "params.yaml").read_text()
    axis = params[params.index("\ntexts:") : params.index("\nrecommenders:")]
    params = params.replace(axis, "\ntexts:\n- original\n- augmented").replace("threads: 2", "threads: 1")
    Path("params.yaml").write_text(params)
    monkeypatch.setattr("features.shards.SHARD_ITEMS", 2)
    monkeypatch.setattr(sys, "argv", ["recsys.features", "--extractor", "sbert"])
    features.main()
    expected = read_all("data/features")
    assert len(expected) >= 4
    shutil.rmtree("data/features")
    Path("params.yaml").write_text(params.replace("cluster: none", "cluster: ray"))
    features.main()
    assert read_all("data/features") == expected
    assert sys.modules["ray"].is_initialized()


def read_all(folder: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_two_nodes_write_the_scores_of_one_process(
    two_nodes: Nodes, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = (
        "catalogues:\n- original\n- all\ntexts: []\nrecommenders:\n- mostpop\n- random\nwarm_content_recommenders: []\n"
    )
    params = Path("params.yaml").read_text()
    chosen = params[: params.index("catalogues:\n")] + axes + "warm_image_features: []\nwarm_text_features: []\n"
    Path("params.yaml").write_text(chosen)
    for catalogue in ("original", "all"):
        for recommender in ("mostpop", "random"):
            monkeypatch.setattr(sys, "argv", ["recsys.fit", "--recommender", recommender, "--catalogue", catalogue])
            fit.main()
    expected = run_score()
    Path("params.yaml").write_text(chosen.replace("cluster: none", "cluster: ray").replace("threads: 2", "threads: 1"))
    assert run_score() == expected
    assert sys.modules["ray"].is_initialized()
    assert list(Path(".checkpoints").iterdir()) == []


def test_two_nodes_write_the_split_of_one_process(
    two_nodes: Nodes, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "RANGE_ROWS", 100)
    expected = read_split_files()
    shutil.rmtree(interactions.FOLDER)
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("cluster: none", "cluster: ray").replace("threads: 2", "threads: 1"))
    interactions.main()
    assert read_split_files() == expected
    assert sys.modules["ray"].is_initialized()
    assert list(Path(".checkpoints").iterdir()) == []


def read_split_files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in interactions.FOLDER.iterdir()}


def run_score() -> list[bytes]:
    """Score, and return the bytes of all outputs, which are removed."""
    score.main()
    written = [score.PER_USER, score.SLICES, score.HITS, score.SLICE_HITS, score.RELEVANT, score.METRICS]
    contents = [path.read_bytes() for path in written]
    for path in written:
        path.unlink()
    return contents


def run_stages(monkeypatch: pytest.MonkeyPatch, recommender: str) -> list[bytes]:
    """Tune and fit, and return the bytes of both outputs, which are removed."""
    options = ["--recommender", recommender, "--catalogue"]
    monkeypatch.setattr(sys, "argv", ["recsys.tune", "--experiment", "warm", *options, "original"])
    tune.main()
    monkeypatch.setattr(sys, "argv", ["recsys.fit", *options, "all"])
    fit.main()
    written = [Path(f"metrics/tune/warm/{recommender}.json"), Path(f"data/recommendations/all/{recommender}.parquet")]
    contents = [path.read_bytes() for path in written]
    for path in written:
        path.unlink()
    return contents
