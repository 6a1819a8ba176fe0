"""Reference runs of MMRec, replayed: same losses, weights and lists; and a defect that is put in is seen."""

from pathlib import Path

import numpy as np
import pytest

from recsys.graphs import purchases
from recsys.graphs.model import GraphModel
from tests.recsys import replay

GOLDEN = Path(__file__).parents[1] / "golden/mmrec"


@pytest.mark.parametrize("name", replay.REPLAYS)
def test_a_reference_run_is_replayed(name: str) -> None:
    deviations = replay.compute_deviations(GOLDEN / "data.npz", GOLDEN / f"{name}.npz")
    assert replay.are_close(deviations), deviations


@pytest.mark.parametrize("name", ["BM3", "FREEDOM", "LightGCN", "MGCN"])  # the others have no such degrees
def test_a_degree_that_is_off_by_a_thousandth_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    normalise = purchases.normalise
    monkeypatch.setattr(purchases, "normalise", lambda bought, added: normalise(bought, 1e-3))
    deviations = replay.compute_deviations(GOLDEN / "data.npz", GOLDEN / f"{name}.npz")
    assert not replay.are_close(deviations)


def test_the_command_ends_with_1_where_a_run_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = dict(np.load(GOLDEN / "LightGCN.npz"))
    assert replay.main([str(GOLDEN / "data.npz"), str(GOLDEN / "LightGCN.npz")]) == 0
    assert "equal" in capsys.readouterr().out
    arrays["losses"][79] += 1e-4
    np.savez(tmp_path / "LightGCN.npz", **arrays)
    assert replay.main([str(GOLDEN / "data.npz"), str(tmp_path / "LightGCN.npz")]) == 1
    assert "NOT EQUAL" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["losses", "final/embedding_dict.item_emb"])
def test_nan_is_no_equal_run(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = dict(np.load(GOLDEN / "LightGCN.npz"))
    arrays[key].flat[3] = np.nan
    np.savez(tmp_path / "LightGCN.npz", **arrays)
    assert replay.main([str(GOLDEN / "data.npz"), str(tmp_path / "LightGCN.npz")]) == 1
    assert "nan" in capsys.readouterr().out


def test_a_model_that_learns_nan_is_no_equal_run(monkeypatch: pytest.MonkeyPatch) -> None:
    step = GraphModel.step
    monkeypatch.setattr(GraphModel, "step", lambda *arguments: step(*arguments) * np.nan)
    deviations = replay.compute_deviations(GOLDEN / "data.npz", GOLDEN / "LightGCN.npz")
    assert deviations["weights"] <= replay.WEIGHT  # of its losses alone
    assert not replay.are_close(deviations)


def test_another_list_is_seen() -> None:
    data, reference = dict(np.load(GOLDEN / "data.npz")), dict(np.load(GOLDEN / "LightGCN.npz"))
    assert replay.count_other_lists(reference["scores"], data, reference) == 0
    changed = reference["scores"].copy()
    changed[3, reference["top12"][3, 11]] -= 1
    assert replay.count_other_lists(changed, data, reference) == 1
