"""The small tagger: that its training learns and repeats, and what ships."""

import json
from pathlib import Path

import pytest
import torch

from captioning.tagging.extract import extract
from sample.treebank.training import build
from tests.captioning.tagging.settings import SETTINGS
from tests.helpers.full import full

SHIPPED = Path(__file__).parents[3] / "data" / "models" / "tiny-stanza"
GOLD = json.loads((Path(__file__).parents[2] / "captioning" / "tagging" / "gold.json").read_text(encoding="utf-8"))


def f1(folder: Path) -> float:
    """Compute F1 of the tagger's attributes: 2 × those in common / (all of the tagger + all of the gold)."""
    tagged = [set(attributes) for attributes in extract([entry["text"] for entry in GOLD], SETTINGS, folder)]
    gold = [set(entry["attributes"].split()) for entry in GOLD]
    shared = sum(len(a & b) for a, b in zip(tagged, gold, strict=True))
    return 2 * shared / (sum(map(len, tagged)) + sum(map(len, gold)))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "en" / "pos" / "tiny.pt", weights_only=True)["model"]


@full
@pytest.mark.slow
def test_a_little_training_learns_and_repeats(tmp_path: Path) -> None:
    build(tmp_path / "untrained", scale=0.02)
    build(tmp_path / "little", scale=0.25)
    provenance = build(tmp_path / "again", scale=0.25)
    assert f1(tmp_path / "little") > max(0.75, f1(tmp_path / "untrained") + 0.1)
    first, second = weights(tmp_path / "little"), weights(tmp_path / "again")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert json.loads((tmp_path / "again" / "provenance.json").read_text()) == provenance


def test_the_shipped_pipeline_is_small_and_says_where_it_comes_from() -> None:
    provenance = json.loads((SHIPPED / "provenance.json").read_text())
    assert {"seed", "steps", "versions", "seconds"} <= set(provenance)
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 1.6e6


def test_the_shipped_models_hold_relative_paths_only() -> None:
    for path in sorted(SHIPPED.glob("en/*/tiny.pt")):
        config = torch.load(path, weights_only=True)["config"]
        assert not [value for value in config.values() if isinstance(value, str) and value.startswith(("/", "~"))]
