"""`lookbook warprec`: the exported folder keeps WarpRec's contracts, its lists are scored, and its process runs.

WarpRec has an environment of its own. A stand-in module takes its place in the default tests; where WARPREC_PYTHON is
set, the slow ones run the real one.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics.pairwise import cosine_similarity
from typer.testing import CliRunner, Result

from features.files import read_features, write_columns
from lookbook.cli.main import app
from recsys import fit
from recsys.interchange.evaluate import evaluate
from recsys.interchange.reading import read_lists, read_purchases
from recsys.purchases.dataset import read_split, restrict
from tests.helpers import interactions
from tests.helpers.interactions import DrawItems, draw_eleven, draw_unevenly, small_study, write_choice

STAND_IN = '''
"""Stands in for warprec.run: reads the configuration as WarpRec does, and writes lists and figures where it would."""
import json, os, pathlib, yaml
import numpy as np

def main(argv):
    print("WarpRec, standing in:", argv[3], os.environ["RAY_memory_monitor_refresh_ms"])
    configuration = yaml.safe_load(open(argv[1]))
    if "VBPR" in configuration["models"] and BROKEN:
        raise RuntimeError("no features")
    writer, evaluation = configuration["writer"], configuration["evaluation"]
    folder = pathlib.Path(writer["local_experiment_path"]) / writer["dataset_name"]
    rows = np.loadtxt(pathlib.Path(configuration["reader"]["split"]["local_path"]) / "train.tsv", dtype=int)
    for name in ("recs", "evaluation", "params"):
        (folder / name).mkdir(parents=True)
    table = "Model\\tTop@k\\tMAP\\tnDCG\\n"
    for model in configuration["models"]:
        lines = []
        for user in np.unique(rows[:, 0]):
            unseen = np.setdiff1d(rows[:, 1], rows[rows[:, 0] == user, 1])[: writer["recommendation"]["k"]]
            lines += [f"{user}\\t{item}\\t{float(-place)}\\n" for place, item in enumerate(unseen)]
        (folder / "recs" / f"{model}_02.01.2026_10-00-00.tsv").write_text("".join(lines))
        table += "".join(f"{model}\\t{k}\\t0.125\\t0.25\\n" for k in evaluation["top_k"])
    (folder / "evaluation" / "Overall_Results_02.01.2026_10-00-00.tsv").write_text(table)
    best = {model: {"Best Training Iteration": section.get("epochs", 0)}
        for model, section in configuration["models"].items()}
    (folder / "params" / "Overall_Params_02.01.2026_10-00-00.json").write_text(json.dumps(best))
'''
REAL = pytest.mark.skipif(not os.environ.get("WARPREC_PYTHON"), reason="WARPREC_PYTHON names no Python with WarpRec")


def export_study(folder: Path, lists: tuple[str, ...] = (), draw: DrawItems = draw_eleven) -> None:
    """Make the small study with neighbourhoods that WarpRec has, and export it to `warprec/`."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_study(folder, monkeypatch, draw)
        change_params({"hood: elliot": "hood: standard", "\n- freedom\n": "\n"})
        for name in lists:
            monkeypatch.setattr(sys, "argv", ["recsys.fit", "--recommender", name, "--catalogue", "all"])
            fit.main()
        Path("metrics").mkdir(exist_ok=True)
        figures = {"ndcg_5": 0.5, "ndcg_12": 0.25, "map_5": 0.2, "map_12": 0.1, "users": 50}
        Path("metrics/recommendations.json").write_text(
            json.dumps({"all": {"itemknn": figures, "vbpr-parity": figures}})
        )
        ended = lookbook("export", "--out", "warprec", "--catalogue", "all", "--features", "parity")
        assert ended.exit_code == 0, ended.output


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    export_study(folder, ("itemknn",))
    return folder


@pytest.fixture
def study(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(exported, tmp_path / "study", symlinks=True)
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study"


def lookbook(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["warprec", *map(str, arguments)])


def export(*arguments: object) -> Result:
    return lookbook("export", "--out", "warprec", "--catalogue", "all", "--features", "parity", *arguments)


def error(ended: Result) -> str:
    assert ended.exit_code == 1, ended.output
    assert isinstance(ended.exception, SystemExit)  # no traceback of ours
    return ended.stderr


def change_params(changes: dict[str, str]) -> None:
    params = Path("params.yaml").read_text()
    for old, new in changes.items():
        assert old in params
        params = params.replace(old, new)
    Path("params.yaml").write_text(params)


def rows(name: str) -> pd.DataFrame:
    return pd.read_csv(f"warprec/data/{name}.tsv", sep="\t", header=None, names=["user", "item", "rating", "time"])


def ids(kind: str) -> list[str]:
    return pd.read_csv(f"warprec/data/{kind}.tsv", sep="\t", header=None, dtype=str)[1].tolist()


def configuration(name: str) -> dict[str, Any]:
    with open(f"warprec/config_files/{name}.yml", encoding="utf-8") as file:
        return yaml.safe_load(file)


def write_recs(name: str, lists: pd.DataFrame, folder: str = "plain", header: bool = False) -> Path:
    path = Path(f"warprec/results/{folder}/recs/{name}.tsv")
    path.parent.mkdir(parents=True, exist_ok=True)
    lists.set_axis(["user_id", "item_id", "rating"], axis=1).to_csv(path, sep="\t", header=header, index=False)
    return path


def our_lists() -> pd.DataFrame:
    return rows("lists/itemknn")[["user", "item", "rating"]].astype({"rating": float})


def results(*arguments: object) -> dict[str, Any]:
    ended = lookbook("import", *(arguments or ["warprec"]), "--json", "out.json")
    assert ended.exit_code == 0, ended.output
    return json.loads(Path("out.json").read_text())


def test_train_and_test_are_the_studys_pairs_in_dense_numbers(study: Path) -> None:
    split = read_split()
    data = restrict(split, "all")
    assert ids("items")[: len(data.items)] == data.item_ids
    train = list(zip(rows("train")["user"], rows("train")["item"], strict=True))
    assert train == list(zip(*(axis.tolist() for axis in data.train.nonzero()), strict=True))
    users = pd.read_parquet("data/interactions/users.parquet")["user_id"]
    items = pd.read_parquet("data/interactions/items.parquet")["item_id"]
    expected = {(users[user], items[item]) for user, item in split.test.tolist()}
    written = [(ids("users")[u], ids("items")[i]) for u, i in rows("test")[["user", "item"]].to_numpy().tolist()]
    assert set(written) == expected
    assert len(written) == len(expected)
    assert not Path("warprec/data/validation.tsv").exists()
    assert rows("train")["time"].max() < 2**31  # WarpRec reads int32


def test_features_are_the_studys_own_array_with_the_number_of_each_rows_item(study: Path) -> None:
    folder = Path("warprec/data/features/parity")
    assert (folder / "features.npy").is_symlink()
    numbers = np.loadtxt(folder / "ids.txt", dtype=int)
    assert len(set(numbers)) == len(numbers)  # an id of its own for each row
    array = np.load(folder / "features.npy")
    row = {number: index for index, number in enumerate(numbers)}
    items = sorted(set(rows("train")["item"]))
    expected = read_features("data/features/image/parity").take([ids("items")[item] for item in items])
    np.testing.assert_array_equal(array[[row[item] for item in items]], expected)


def test_items_without_purchases_have_numbers_beyond_those_of_the_export(study: Path) -> None:
    folder = Path("data/features/image/parity")
    array = np.load(folder / "features.npy")
    np.save(folder / "features.npy", np.vstack([array, array[:1]]))
    with open(folder / "ids.txt", "a") as file:
        file.write("never bought\n")
    assert export().exit_code == 0
    assert np.loadtxt("warprec/data/features/parity/ids.txt", dtype=int)[-1] >= len(ids("items"))


def test_configurations_hold_what_warprec_reads(study: Path) -> None:
    names = sorted(path.stem for path in Path("warprec/config_files").iterdir())
    assert names == ["epochs", "features-parity", "lists-itemknn", "plain"]
    plain, epochs, vbpr = (configuration(name)["models"] for name in ("plain", "epochs", "features-parity"))
    assert list(plain) == ["Random", "Pop", "UserKNN", "ItemKNN"]
    assert list(epochs) == ["BPR"]
    assert list(vbpr) == ["VBPR"]
    assert (plain["ItemKNN"]["k"], plain["UserKNN"]["k"]) == (21, 11)  # a row is one of its own neighbours
    assert vbpr["VBPR"]["modalities"] == ["parity"]
    for name in names:
        own = configuration(name)
        assert own["writer"]["recommendation"] == {"k": 12, "header": False}
        assert own["writer"]["dataset_name"] == name
        assert own["evaluation"]["top_k"] == [5, 12]
        assert own["general"]["ray_address"] == "local"
        paths = [own["reader"]["split"]["local_path"]]
        paths += [
            modality[key]
            for modality in own["reader"].get("multimodal", {}).values()
            for key in ("local_path", "item_path")
        ]
        paths += [model["recommendation_file"] for model in own["models"].values() if "recommendation_file" in model]
        assert all((Path("warprec") / path).exists() for path in paths)
        for model in own["models"].values():
            assert model["meta"]["save_recs"] is True


def test_models_are_evaluated_after_their_last_epoch_alone_with_the_settings_that_tuning_chose(study: Path) -> None:
    """Without validation data WarpRec would take the best epoch by the test set."""
    write_choice("warm", "itemknn", k=7)
    write_choice("warm", "bpr", epochs=9, learning_rate=0.00001)
    write_choice("warm", "vbpr-parity", epochs=8, factors=16)
    assert export().exit_code == 0
    bpr, vbpr = configuration("epochs")["models"]["BPR"], configuration("features-parity")["models"]["VBPR"]
    for model, epochs in ((bpr, 9), (vbpr, 8)):
        assert model["epochs"] == model["optimization"]["eval_every_n"] == epochs
        assert "early_stopping" not in model
    assert bpr["learning_rate"] == 0.00001
    assert vbpr["embedding_size"] == 8  # of each of its two halves; ours shares 16
    assert configuration("plain")["models"]["ItemKNN"]["k"] == 8


@pytest.mark.parametrize(
    ("changes", "k", "note"),
    [
        ({"hood: standard": "hood: elliot"}, (20, 10), "WarpRec's ItemKNN has no `neighbourhood: elliot`"),
        ({"similarity: cosine": "similarity: jaccard"}, (21, 11), "WarpRec's UserKNN has no jaccard"),
        ({"shrink: 0.0": "shrink: 5.0"}, (21, 11), "rec_fit.itemknn.shrink to 0 to compare them"),
        ({"sample: 0.0": "sample: 0.5"}, (21, 11), "WarpRec's UserKNN has no sample of neighbours"),
        ({"half_life_days: 0": "half_life_days: 30"}, (21, 11), "WarpRec's Pop has no decay"),
        ({"k: 20": "k: 2000", "k: 10": "k: 1000"}, (46, 50), ""),
    ],
)
def test_neighbours_are_one_more_and_what_warprec_lacks_is_named(
    study: Path, changes: dict[str, str], k: tuple[int, int], note: str
) -> None:
    change_params(changes)
    ended = export()
    assert note in ended.stdout
    models = configuration("plain")["models"]
    items = int(rows("train")["item"].max()) + 1
    assert (models["ItemKNN"]["k"], models["UserKNN"]["k"]) == (min(k[0], items), k[1])
    assert not note or note in lookbook("import", write_recs("ItemKNN", our_lists())).stdout


def test_pictures_and_words_that_warprec_reads_as_one_are_named(study: Path) -> None:
    change_params({"\n- vbpr\n": "\n- vbpr\n- freedom\n- mgcn\n"})
    export()
    assert "as one modality" not in " ".join(json.loads(Path("warprec/lookbook.json").read_text())["unlike"])
    write_columns(Path("data/features/image/parity"), 1)
    ended = export()
    assert ended.exit_code == 0, ended.output
    assert "WarpRec's FREEDOM, MGCN read parity as one modality, the study's pictures and words as two" in " ".join(
        json.loads(Path("warprec/lookbook.json").read_text())["unlike"]
    )
    change_params({"- freedom\n- mgcn\n": ""})
    export()
    assert not json.loads(Path("warprec/lookbook.json").read_text())["unlike"]


def test_lists_have_falling_scores_above_the_zero_of_what_is_not_listed(study: Path) -> None:
    lists = our_lists()
    assert lists["rating"].min() > 0
    assert (lists.groupby("user")["rating"].diff().dropna() < 0).all()
    own = pd.read_parquet("data/recommendations/all/itemknn.parquet")
    own = own[(own["candidates"] == "all") & (own["run"] == 0)].sort_values(["user", "rank"])
    data = restrict(read_split(), "all")
    assert lists["item"].tolist() == np.searchsorted(data.items, own["item"]).tolist()
    assert lists["user"].tolist() == np.searchsorted(data.users, own["user"]).tolist()


@pytest.mark.parametrize("header", [False, True])
def test_import_counts_on_both_test_sets_and_drops_what_fills_lists_up(study: Path, header: bool) -> None:
    lists = our_lists()
    path = write_recs("plain", lists)
    train, test = (read_purchases(Path(f"warprec/data/{name}.tsv")) for name in ("train", "test"))
    expected = {
        name: evaluate(train, test, read_lists(path), [5, 12], test_items=name).summary() for name in ("all", "train")
    }
    path.unlink()
    user = lists["user"].max()
    seen = rows("train").query("user == @user")["item"].iloc[0]
    filled = pd.concat([pd.DataFrame({"user": [user], "item": [seen], "rating": [99.0]}), lists[lists["user"] == user]])
    others = lists[lists["user"] != user]
    unlisted = others.groupby("user").head(1).assign(rating=-np.inf, item=0)
    lists = pd.concat([pd.concat([others, unlisted]).sort_values("user", kind="stable"), filled])
    write_recs("ItemKNN_02.01.2026_10-00-00", lists, header=header)
    result = results()["itemknn"]
    assert result["warprec_lists"] == expected
    assert expected["all"]["recall_12"] < expected["train"]["recall_12"]  # there are cold items
    assert result["lookbook"]["ndcg_12"] == 0.25  # as in metrics/recommendations.json


def test_import_takes_the_newest_file_of_a_model_by_its_time(study: Path) -> None:
    """Days come first in WarpRec's names, so that they do not sort."""
    for stamp in ("31.12.2025_23-00-00", "02.01.2026_10-00-00", "01.02.2024_10-00-00"):
        write_recs(f"ItemKNN_{stamp}", our_lists())
    assert [value["lists"] for value in results().values()] == ["ItemKNN_02.01.2026_10-00-00.tsv"]
    path = "warprec/results/plain/recs/ItemKNN_31.12.2025_23-00-00.tsv"
    assert results(path)["itemknn"]["lists"] == Path(path).name


def test_lists_are_written_with_the_studys_ids(study: Path) -> None:
    lists = our_lists()
    write_recs("ItemKNN_02.01.2026_10-00-00", lists)
    assert lookbook("import", "warprec", "--lists", "own").exit_code == 0
    own = pd.read_csv("own/itemknn.tsv", sep="\t", header=None, dtype=str)
    assert own[0].tolist() == [ids("users")[user] for user in lists.iloc[:, 0]]
    assert own[1].tolist() == [ids("items")[item] for item in lists.iloc[:, 1]]


def test_an_epoch_that_the_test_set_chose_is_named(study: Path) -> None:
    write_recs("BPR_02.01.2026_10-00-00", our_lists(), "epochs")
    epochs = configuration("epochs")["models"]["BPR"]["epochs"]
    path = Path("warprec/results/epochs/params/Overall_Params_02.01.2026_10-00-00.json")
    path.parent.mkdir()
    note = f"WarpRec took epoch 2 of {epochs} of BPR, by the test set"
    for best, expected in ((epochs, False), (2, True)):
        path.write_text(json.dumps({"BPR": {"Best Params": {}, "Best Training Iteration": best}}))
        assert (note in lookbook("import", "warprec").stdout) is expected


def test_folders_that_cannot_be_imported_are_refused(study: Path) -> None:
    assert "WarpRec has written no lists there" in error(lookbook("import", "warprec"))
    assert "is in no folder that `lookbook warprec export` wrote" in error(lookbook("import", "params.yaml"))
    assert "nowhere: no such file or folder" in error(lookbook("import", "nowhere"))
    ended = CliRunner().invoke(app, ["elliot", "import", "warprec"])
    assert "is in no folder that `lookbook elliot export` wrote" in error(ended)


def test_studies_that_cannot_be_exported_are_refused(study: Path) -> None:
    message = error(lookbook("export", "--out", "warprec", "--text", "augmented", "--catalogue", "original"))
    assert "--catalogue original: the text augmented is of the catalogue all" in message
    assert "no such folder of features" in error(export("--features", "nowhere"))
    Path("taken").mkdir()
    Path("taken/notes.txt").write_text("mine")
    assert "taken: exists and is no earlier export" in error(lookbook("export", "--out", "taken"))
    change_params({"  - 12\n": "  - 1200\n"})
    message = error(export())
    assert "params.yaml: rec_score.cutoffs: 1200 is more than the" in message
    assert Path("warprec/lookbook.json").exists()  # the earlier export stays
    shutil.rmtree("data/interactions")
    assert "no interactions" in error(export())


@pytest.fixture
def stand_in(study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a Python that has a module `warprec.run`, and set WARPREC_PYTHON."""
    package = study / "environment" / "warprec"
    package.mkdir(parents=True)
    (package / "run.py").write_text(STAND_IN.replace("BROKEN", "False"))
    python = study / "environment" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{package.parent}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("WARPREC_PYTHON", str(python))
    return package


def test_run_puts_both_tables_side_by_side(stand_in: Path) -> None:
    old = write_recs("Old_01.01.2026_10-00-00", our_lists())
    ended = lookbook("run", "warprec", "--json", "out.json")
    assert ended.exit_code == 0, ended.output
    values = json.loads(Path("out.json").read_text())
    assert sorted(values) == ["bpr", "itemknn", "mostpop", "our itemknn", "random", "userknn", "vbpr-parity"]
    assert not old.exists()  # of an earlier run
    assert values["vbpr-parity"]["warprec"] == {"ndcg_5": 0.25, "map_5": 0.125, "ndcg_12": 0.25, "map_12": 0.125}
    line = next(line.split() for line in ended.stdout.splitlines() if line.startswith("itemknn") and "nDCG@12" in line)
    own = values["itemknn"]["warprec_lists"]
    assert line == [
        "itemknn",
        "nDCG@12",
        "0.25000",
        *(f"{own[name]['ndcg_12']:.5f}" for name in ("train", "all")),
        "0.25000",
    ]
    assert "greatest difference between WarpRec's figures and ours" in ended.stdout
    assert "our …: the lists of the study's first run; the column Lookbook has the mean" in ended.stdout
    logs = {path.stem: path.read_text() for path in Path("warprec/logs").iterdir()}
    pipelines = {"plain": "eval", "epochs": "train", "features-parity": "train", "lists-itemknn": "eval"}
    for name, pipeline in pipelines.items():
        assert f"WarpRec, standing in: {pipeline} 0" in logs[name]


def test_run_takes_one_configuration(stand_in: Path) -> None:
    ended = lookbook("run", "warprec", "--configuration", "epochs")
    assert ended.exit_code == 0, ended.output
    assert "bpr" in ended.stdout
    assert "itemknn" not in ended.stdout
    message = error(lookbook("run", "warprec", "--configuration", "features-sbert"))
    assert "no features-sbert; there are: epochs, features-parity, lists-itemknn, plain" in message


def test_what_warprec_printed_last_is_shown_when_it_fails(stand_in: Path) -> None:
    (stand_in / "run.py").write_text(STAND_IN.replace("BROKEN", "True"))
    message = error(lookbook("run", "warprec", "--configuration", "features-parity"))
    assert "features-parity.yml: WarpRec failed (status 1, log " in message
    assert "RuntimeError: no features" in message


def test_an_interpreter_without_warprec_and_none_at_all_are_refused(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WARPREC_PYTHON", raising=False)
    assert "WARPREC_PYTHON is not set: name a Python >= 3.12 that has WarpRec" in error(lookbook("run", "warprec"))
    monkeypatch.setenv("WARPREC_PYTHON", "/nowhere/python")
    assert "WARPREC_PYTHON=/nowhere/python: no such program" in error(lookbook("run", "warprec"))
    monkeypatch.setenv("WARPREC_PYTHON", sys.executable)
    message = error(lookbook("run", "warprec"))
    assert "has no WarpRec (status 1, log " in message
    assert "No module named 'warprec'" in message


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a study of 400 users and 240 items with few equal similarities, and run WarpRec itself on it."""
    folder = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(interactions, "N_USERS", 400)
        monkeypatch.setattr(interactions, "N_ITEMS", 240)
        export_study(folder, ("itemknn", "userknn", "mostpop", "random", "bpr"), draw_unevenly)
        monkeypatch.chdir(folder)
        ended = lookbook("run", "warprec", "--json", "out.json")
        print(ended.stdout)
        assert ended.exit_code == 0, ended.output
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)  # eight runs of WarpRec, on a busy machine
@REAL
def test_warprec_and_lookbook_give_the_same_lists_the_same_figures(real: Path) -> None:
    values = json.loads((real / "out.json").read_text())
    assert {"itemknn", "userknn", "mostpop", "bpr", "vbpr-parity", "our itemknn", "our random"} <= set(values)
    compared = 0
    for name, result in values.items():
        for metric, value in result["warprec"].items():
            if name != "random":  # WarpRec draws it again when it writes
                assert value == pytest.approx(result["warprec_lists"]["train"][metric], abs=1e-6), (name, metric)
                compared += 1
    assert compared == 10 * (len(values) - 1)
    about = json.loads((real / "warprec" / "lookbook.json").read_text())
    assert about["test_rows_of_items_not_in_train"]
    assert any(
        value["warprec_lists"]["all"]["recall_12"] < value["warprec_lists"]["train"]["recall_12"]
        for value in values.values()
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)  # eight runs of WarpRec, on a busy machine
@REAL
def test_no_model_is_of_an_epoch_that_the_test_set_chose(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(real)
    assert "by the test set" not in lookbook("import", "warprec").stdout
    for name in ("epochs", "features-parity"):
        (path,) = Path(f"warprec/results/{name}/params").glob("*.json")
        for model, values in json.loads(path.read_text()).items():
            assert values["Best Training Iteration"] == configuration(name)["models"][model]["epochs"]


@pytest.mark.slow
@pytest.mark.timeout(3600)  # eight runs of WarpRec, on a busy machine
@REAL
@pytest.mark.parametrize(("name", "model"), [("itemknn", "ItemKNN"), ("userknn", "UserKNN")])
def test_standard_neighbours_with_one_less_give_the_same_scores(
    real: Path, monkeypatch: pytest.MonkeyPatch, name: str, model: str
) -> None:
    """For every user without a tie at the last neighbour's place, which WarpRec breaks by accident."""
    monkeypatch.chdir(real)
    k = configuration("plain")["models"][model]["k"]
    pairs = rows("train")[["user", "item"]].to_numpy()
    matrix = np.zeros(pairs.max(0) + 1)
    matrix[pairs[:, 0], pairs[:, 1]] = 1
    similar = -np.sort(-cosine_similarity(matrix if name == "userknn" else matrix.T))  # its own row is the first
    tied = similar[:, k - 1] - similar[:, k] < 1e-6
    touched = tied if name == "userknn" else matrix @ tied > 0
    (path,) = Path("warprec/results/plain/recs").glob(f"{model}_*.tsv")
    theirs = pd.read_csv(path, sep="\t", header=None, names=["user", "item", "score"])
    ours = pd.read_parquet(f"data/recommendations/all/{name}.parquet").query("candidates == 'all'")
    scores = [
        table.sort_values(["user", "score"], ascending=[True, False])["score"].to_numpy().reshape(len(matrix), -1)
        for table in (theirs, ours)
    ]
    assert 50 < (~touched).sum() < len(matrix)
    np.testing.assert_allclose(scores[0][~touched], scores[1][~touched], rtol=1e-4, atol=3e-7)
