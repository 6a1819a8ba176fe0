import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from features.files import Rows, read_features, write_features
from pipeline.core.errors import UserError
from pipeline.core.params import read
from pipeline.names import with_sections
from recsys import fit, interactions
from recsys.fitting.cells import parse_cell
from recsys.fitting.runs import derive_seed
from recsys.purchases.dataset import Dataset, read_split, restrict
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run
from recsys.recommenders import bpr
from tests.test_line import CELLS, COMMANDS, covers, needed_by


def run(monkeypatch: pytest.MonkeyPatch, arguments: str) -> pd.DataFrame:
    monkeypatch.setattr(sys, "argv", ["recsys.fit", *arguments.split()])
    fit.main()
    return pd.read_parquet(output())


def output() -> Path:
    """The file of lists of the cell on the command line."""
    cell = parse_cell("recsys.fit", "")
    return fit.FOLDER / cell.arm / f"{cell.name}.parquet"


@pytest.mark.parametrize(
    "arguments", ["--recommender bpr --catalogue all", "--recommender vbpr --text masked-ft --features words"]
)
def test_lists_of_every_run_and_user(study: Path, monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    table = run(monkeypatch, arguments)
    split = read_split()
    assert list(table.columns) == ["candidates", "run", "user", "item", "rank", "score"]
    catalogues = ["original"] if "masked" in arguments else ["all", "original"]
    assert sorted(table["candidates"].unique()) == catalogues
    for (candidates, number), rows in table.groupby(["candidates", "run"], observed=True):
        data = restrict(split, candidates)
        assert number in (0, 1, 2)
        assert sorted(rows["user"].unique()) == data.users.tolist()
        assert rows["item"].isin(data.items).all()
        assert (rows.groupby("user")["rank"].agg(list).map(lambda ranks: ranks == list(range(1, len(ranks) + 1)))).all()
        assert rows.groupby("user")["score"].is_monotonic_decreasing.all()
        seen = set(zip(*split.matrix(split.train, split.members("all")).nonzero(), strict=True))
        assert not seen & set(zip(rows["user"], rows["item"], strict=True))


def test_a_killed_fit_keeps_its_runs_and_ends_with_the_same_bytes(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, learn, seeds = run(monkeypatch, "--recommender bpr --catalogue all"), bpr.fit, []
    whole = output().read_bytes()
    output().unlink()

    def dying(data: Dataset, settings: bpr.Settings, run: Run, features: Rows | None = None) -> Factors:
        seeds.append(run.seed)
        if len(seeds) == 2:
            raise KeyboardInterrupt
        return learn(data, settings, run, features)

    monkeypatch.setattr(bpr, "fit", dying)
    with pytest.raises(KeyboardInterrupt):
        fit.main()
    assert not output().exists()
    fit.main()
    assert output().read_bytes() == whole
    assert len(seeds) == expected["run"].nunique() + 1  # the run that was killed, again; the one before it is kept
    assert not list(Path(".checkpoints").glob("rec_fit-*"))


def test_the_list_in_common_is_the_list_of_all_without_the_others(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = run(monkeypatch, "--recommender itemknn --catalogue all")
    original = read_split().original
    lists = {name: rows.groupby("user")["item"].agg(list) for name, rows in table.groupby("candidates", observed=True)}
    for user, in_common in lists["original"].items():
        expected = [item for item in lists["all"][user] if original[item]]
        assert in_common[: len(expected)] == expected


def test_moving_the_rows_of_the_features_changes_nothing(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The study's loader gave 1,207 of 3,000 items the features of another one."""
    arguments = "--recommender vbpr --catalogue all --features parity"
    before = run(monkeypatch, arguments)
    features = read_features("data/features/image/parity")
    order = np.random.default_rng(3).permutation(len(features.ids))
    write_features("data/features/image/parity", [features.ids[i] for i in order], np.array(features.array)[order])
    pd.testing.assert_frame_equal(run(monkeypatch, arguments), before)
    write_features(
        "data/features/image/parity", features.ids, np.array(features.array)[order]
    )  # rows of other items: that does
    assert not run(monkeypatch, arguments)["score"].equals(before["score"])


def test_runs_start_alike_whatever_the_features(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert derive_seed(42, 0) == derive_seed(42, 0)
    assert len({derive_seed(seed, number) for seed in (41, 42) for number in range(3)}) == 6
    first = (study / "params.yaml").read_text()
    three = run(monkeypatch, "--recommender bpr --catalogue original")
    (study / "params.yaml").write_text(first.replace("  seeds: 3", "  seeds: 1"))
    single = run(monkeypatch, "--recommender bpr --catalogue original")
    pd.testing.assert_frame_equal(three[three["run"] == 0].reset_index(drop=True), single)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "--recommender itemkn --catalogue all",
            "bm3, bpr, contentknn, freedom, itemknn, lattice, lightgcn, mgcn, mostpop, random, userknn, vbpr"
            ".*did you mean itemknn",
        ),
        (
            "--recommender vbpr --catalogue all",
            "vbpr needs --features, .*`recommenders` in params.yaml are those that need none",
        ),
        ("--recommender bpr --catalogue all --features parity", "leave out --features parity"),
        ("--recommender vbpr --catalogue all --features resnet", r"data/features/image/resnet: no such features"),
        ("--recommender vbpr --text masked-fd --features words", "did you mean masked-ft"),
    ],
)
def test_a_wrong_cell_is_explained(study: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(monkeypatch, arguments)
    assert not Path("data/recommendations").exists()


def test_features_of_other_items_are_refused(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = read_features("data/features/image/parity")
    write_features("data/features/image/parity", features.ids[:40], np.array(features.array)[:40])
    with pytest.raises(UserError, match=r"8 of 4\d items have no features, first 0000000140"):
        run(monkeypatch, "--recommender vbpr --catalogue all --features parity")


def test_features_that_are_not_finite_are_refused(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("data/features/image/parity/features.npy")
    array = np.load(path)
    array[7] = np.nan
    np.save(path, array)
    with pytest.raises(UserError, match="1 of 46 items have features that are not finite, first 0000000107"):
        run(monkeypatch, "--recommender vbpr --catalogue all --features parity")


def test_published_catalogues_are_fitted_on_their_own_split(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (study / "params.yaml").read_text()
    (study / "params.yaml").write_text(text.replace("  evaluation: common ", "  evaluation: published "))
    interactions.main()
    for catalogue in ("all", "original"):
        table = run(monkeypatch, f"--recommender itemknn --catalogue {catalogue}")
        split = read_split(catalogue=catalogue)
        own = pd.read_parquet(f"data/interactions/published/{catalogue}/train.parquet")
        assert split.train.tolist() == own[["user", "item"]].to_numpy().tolist()
        assert table["candidates"].unique().tolist() == [catalogue]
        assert sorted(table["user"].unique()) == restrict(split, catalogue).users.tolist()
        assert not set(zip(table["user"], table["item"], strict=True)) & set(map(tuple, split.train.tolist()))


def folder_of(arguments: str) -> Path:
    """The checkpoints of a cell by the params.yaml here."""
    cell = parse_cell("recsys.fit", "", arguments.split())
    return fit.checkpoint_folder(cell, read(with_sections(fit.Params, [cell.recommender])))


@pytest.mark.parametrize(
    ("section", "key", "other"),
    [
        ("itemknn", "k", {"itemknn"}),
        ("bpr", "epochs", {"bpr"}),
        ("vbpr", "epochs", {"vbpr"}),
        (None, "top_k", {"random", "itemknn", "bpr", "vbpr"}),
        (None, "seed", {"random", "itemknn", "bpr", "vbpr"}),
    ],
)
def test_checkpoints_go_by_what_a_cell_reads(study: Path, section: str | None, key: str, other: set[str]) -> None:
    cells = {name: f"--recommender {name} --catalogue all" for name in ("random", "itemknn", "bpr")}
    cells["vbpr"] = "--recommender vbpr --catalogue all --features parity"
    before = {name: folder_of(arguments) for name, arguments in cells.items()}
    yaml = YAML()
    params = yaml.load(study / "params.yaml")
    values = params["rec_fit"] if section is None else params["rec_fit"][section]
    values[key] = 50
    yaml.dump(params, study / "params.yaml")
    assert {name for name, arguments in cells.items() if folder_of(arguments) != before[name]} == other


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.startswith(("rec_fit", "rec_tune"))])
def test_checkpoints_go_by_the_code_that_a_cell_imports(name: str) -> None:
    own = f"recsys/recommenders/{CELLS[name]['cmd'].partition('--recommender ')[2].split()[0]}.py"
    listed = {Path(path) for path in (*import_module(CELLS[name]["cmd"].split()[2]).CODE, own)}
    imported = {path for path in needed_by(name) if path.parts[0] != "pipeline"}
    assert sorted(str(path) for path in imported if not any(covers(code, path) for code in listed)) == []


def set_one_thread() -> None:
    text = Path("params.yaml").read_text()
    assert "threads: 2" in text
    Path("params.yaml").write_text(text.replace("threads: 2", "threads: 1"))


@pytest.mark.parametrize("recommender", ["mostpop", "userknn", "itemknn", "bpr"])
def test_fewer_threads_leave_the_same_bytes(study: Path, monkeypatch: pytest.MonkeyPatch, recommender: str) -> None:
    run(monkeypatch, f"--recommender {recommender} --catalogue all")
    with_one = output().read_bytes()
    set_one_thread()
    run(monkeypatch, f"--recommender {recommender} --catalogue all")
    assert output().read_bytes() == with_one


def test_fewer_threads_leave_vbpr_equal_to_rounding(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = "--recommender vbpr --text masked-ft --features words"
    best = [run(monkeypatch, arguments).query("rank == 1")["score"].to_numpy()]
    set_one_thread()
    best.append(run(monkeypatch, arguments).query("rank == 1")["score"].to_numpy())
    assert np.allclose(*best, rtol=1e-3)
