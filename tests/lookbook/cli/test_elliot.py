"""`lookbook elliot`: Elliot's loader reads the exported folder, its lists are scored, and its process runs.

Elliot itself is not on a package index: a stand-in module takes its place where the process is tested.
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
from typer.testing import CliRunner, Result

from features.files import read_features
from lookbook.cli.main import app
from recsys import fit
from recsys.purchases.dataset import read_split, restrict
from tests.helpers.interactions import small_study, write_choice

STAND_IN = '''
"""Stands in for elliot.run: reads the configuration as Elliot does, and writes lists and figures where Elliot would."""
import pathlib, yaml
import numpy as np

def run_experiment(path):
    print("Elliot, standing in")
    experiment = yaml.load(open(path), Loader=yaml.FullLoader)["experiment"]
    if "VBPR" in experiment["models"] and BROKEN:
        raise RuntimeError("no GPU")
    if any(model.startswith("external.") for model in experiment["models"]):
        print((pathlib.Path(path).parent / experiment["external_models_path"]).read_text())
    folder = pathlib.Path(path).parent.parent / "results" / experiment["dataset"]
    rows = np.loadtxt(pathlib.Path(path).parent / experiment["data_config"]["train_path"], dtype=int)
    (folder / "recs").mkdir(parents=True)
    (folder / "performance").mkdir()
    for model in experiment["models"]:
        name = model.split(".")[-1] + ("_seed=42_e=16" if "BPR" in model else "")
        lines = []
        for user in np.unique(rows[:, 0]):
            unseen = np.setdiff1d(rows[:, 1], rows[rows[:, 0] == user, 1])[:12]
            lines += [f"{user}\\t{item}\\t{float(-place)}\\n" for place, item in enumerate(unseen)]
        ending = "_it=16" if "BPR" in model else ""
        (folder / "recs" / f"{name}{ending}.tsv").write_text("".join(lines))
    for cutoff in experiment["evaluation"]["cutoffs"]:
        table = "model\\tnDCG\\tMAP\\tItemCoverage\\n" + "".join(f"{n}\\t0.25\\t0.125\\t7\\n" for n in
            [m.split(".")[-1] + ("_seed=42_e=16" if "BPR" in m else "") for m in experiment["models"]])
        (folder / "performance" / f"rec_cutoff_{cutoff}_relthreshold_0_2026_01_01_00_00_00.tsv").write_text(table)
'''


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the small study and export to `elliot/` its catalogue `all` with the text features `words`."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_study(folder, monkeypatch)
        Path("metrics").mkdir(exist_ok=True)
        figures = {"ndcg_5": 0.5, "ndcg_12": 0.25, "map_elliot_5": 0.2, "map_elliot_12": 0.1, "users": 50}
        metrics = {"all": {"itemknn": figures}, "augmented": {"vbpr-words": figures}}
        Path("metrics/recommendations.json").write_text(json.dumps(metrics))
        ended = lookbook("export", "--out", "elliot", "--text", "augmented", "--features", "words")
        assert ended.exit_code == 0, ended.output
    return folder


@pytest.fixture
def study(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(exported, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study"


def lookbook(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["elliot", *map(str, arguments)])


def error(ended: Result) -> str:
    assert ended.exit_code == 1, ended.output
    assert isinstance(ended.exception, SystemExit)  # no traceback of ours
    return ended.stderr


def rows(name: str) -> pd.DataFrame:
    return pd.read_csv(f"elliot/data/{name}.tsv", sep="\t", header=None, names=["user", "item", "rating", "time"])


def ids(kind: str) -> list[str]:
    return pd.read_csv(f"elliot/data/{kind}.tsv", sep="\t", header=None, dtype=str)[1].tolist()


def configuration(name: str) -> dict[str, Any]:
    """Read a configuration with PyYAML's FullLoader, as Elliot does."""
    with open(f"elliot/config_files/{name}.yml", encoding="utf-8") as file:
        return yaml.load(file, Loader=yaml.FullLoader)["experiment"]


def test_train_and_test_are_the_studys_pairs_in_dense_numbers(study: Path) -> None:
    split = read_split()
    data = restrict(split, "all")
    train, test = rows("train"), rows("test")
    assert ids("items")[: len(data.items)] == data.item_ids
    pairs = {(user, item) for user, item in train[["user", "item"]].to_numpy().tolist()}
    assert pairs == set(zip(*(axis.tolist() for axis in data.train.nonzero()), strict=True))
    assert len(pairs) == len(train)
    # Elliot numbers users by first appearance
    assert train["user"].drop_duplicates().tolist() == list(range(len(data.users)))
    assert set(train["item"]) == set(range(len(data.items)))
    users = pd.read_parquet("data/interactions/users.parquet")["user_id"]
    items = pd.read_parquet("data/interactions/items.parquet")["item_id"]
    expected = {(users[user], items[item]) for user, item in split.test.tolist()}
    purchases = test.iloc[:-1]
    assert {(ids("users")[u], ids("items")[i]) for u, i in purchases[["user", "item"]].to_numpy().tolist()} == expected
    assert (train["rating"] == 1).all()
    assert (train["time"] % 86_400 == 0).all()


def test_the_last_test_row_is_of_a_user_and_an_item_that_are_nowhere_else(study: Path) -> None:
    last, others = rows("test").iloc[-1], pd.concat([rows("train"), rows("test").iloc[:-1]])
    assert last["user"] == len(ids("users")) > others["user"].max()
    assert last["item"] == len(ids("items")) > others["item"].max()


class VisualAttribute:
    """Copy Elliot's loader: `filter` alone fills the mapping, and rows are in the order of a set of numbers."""

    def __init__(self, folder: Path, items: set[int]) -> None:
        self.folder, self.mapping = folder, dict[int, int]()
        self.items = items & {int(path.name.split(".")[0]) for path in folder.iterdir()}

    def filter(self, items: set[int]) -> None:
        self.items = self.items & items
        self.mapping = {item: index for index, item in enumerate(self.items)}

    def features(self) -> np.ndarray:
        dim = np.load(next(self.folder.iterdir())).shape[0]
        array = np.full((len(self.items), dim), np.nan)
        for item, index in self.mapping.items():
            array[index] = np.load(self.folder / f"{item}.npy")
        return array


def test_elliots_loader_gives_every_item_its_own_features(study: Path) -> None:
    train, test = rows("train"), rows("test")
    items = set(train["item"]) | set(test["item"])
    loader = VisualAttribute(Path("elliot/data/features/words"), items)
    assert loader.items != items  # so that Elliot filters at all
    loader.filter(loader.items)
    model_order = list({item for item in train["item"]})  # DataSet.items: the iteration order of a set
    expected = read_features("data/features/text/augmented/words").take([ids("items")[item] for item in model_order])
    np.testing.assert_array_equal(loader.features(), expected)


def test_configurations_hold_what_elliot_reads(study: Path) -> None:
    assert sorted(path.stem for path in Path("elliot/config_files").iterdir()) == [
        "ducho",
        "ducho-words",
        "elliot",
        "elliot-words",
    ]
    plain = configuration("elliot")
    assert list(plain["models"]) == ["Random", "MostPop", "UserKNN", "ItemKNN", "BPRMF"]
    assert plain["models"]["Random"]["random_seed"] == plain["models"]["BPRMF"]["seed"]  # the names that they read
    assert plain["models"]["ItemKNN"]["neighbors"] == 20
    assert plain["models"]["UserKNN"]["neighbors"] == 10
    assert plain["models"]["ItemKNN"]["implementation"] == "standard"
    assert plain["evaluation"]["cutoffs"] == [5, 12]
    assert plain["evaluation"]["simple_metrics"] == ["nDCG", "MAP", "Recall", "Precision", "HR", "ItemCoverage"]
    assert plain["top_k"] == 12
    assert plain["data_config"]["strategy"] == "fixed"
    words = configuration("elliot-words")
    assert list(words["models"]) == ["VBPR"]
    assert words["models"]["VBPR"]["loader"] == "VisualAttribute"  # its default, VisualAttributes, does not exist
    ducho = configuration("ducho-words")
    assert list(ducho["models"]) == ["external.VBPR"]
    assert ducho["backend"] == "pytorch"
    assert ducho["models"]["external.VBPR"]["modalities"] == "('visual',)"  # without the comma: a list of letters
    assert "external.BPRMF" in configuration("ducho")["models"]
    for name in ("elliot", "elliot-words", "ducho", "ducho-words"):
        experiment = configuration(name)
        folder = Path("elliot/config_files")
        paths = [experiment["data_config"][f"{part}_path"] for part in ("train", "test")]
        paths += [side["visual_features"] for side in experiment["data_config"].get("side_information", [])]
        assert all((folder / path).exists() and path.startswith("..") for path in paths)
        for model in experiment["models"].values():
            assert model["meta"]["save_recs"] is True
            assert not any(isinstance(value, list) for value in model.values())  # a list is a grid to Elliot
            assert int(model.get("epochs", 1)) >= model["meta"].get("validation_rate", 1)


def test_elliot_runs_with_the_settings_that_tuning_chose(study: Path) -> None:
    """One choice a feature set for VBPR; a study that was not tuned has the values of params.yaml."""
    write_choice("warm", "itemknn", k=77)
    write_choice("warm", "bpr", epochs=9, learning_rate=0.3)
    write_choice("warm", "vbpr-parity", epochs=7)
    Path("metrics/tune/warm/userknn.json").unlink()
    lookbook("export", "--out", "elliot", "--features", "parity")
    models = configuration("elliot")["models"]
    assert (models["ItemKNN"]["neighbors"], models["UserKNN"]["neighbors"]) == (77, 10)
    assert (models["BPRMF"]["epochs"], models["BPRMF"]["lr"]) == (9, 0.3)
    assert configuration("ducho-parity")["models"]["external.VBPR"]["epochs"] == 7


@pytest.mark.parametrize("rate", ["1.0e-05", "0.0001", "5.0e-05", "1e-05"])
def test_learning_rates_stay_numbers_for_pyyaml(study: Path, rate: str) -> None:
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("learning_rate: 0.02", f"learning_rate: {rate}"))
    assert lookbook("export", "--out", "elliot", "--features", "parity").exit_code == 0
    for name, model in (("elliot", "BPRMF"), ("ducho-parity", "external.VBPR")):
        assert configuration(name)["models"][model]["lr"] == float(rate)


def test_jaccard_and_shrinkage_ask_for_elliots_other_implementation(study: Path) -> None:
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(
        params.replace("similarity: cosine", "similarity: jaccard").replace("shrink: 0.0", "shrink: 5.0")
    )
    lookbook("export", "--out", "elliot", "--features", "parity")
    model = configuration("elliot")["models"]["ItemKNN"]
    assert (model["implementation"], model["similarity"], model["shrink"]) == ("aiolli", "jaccard", 5.0)


@pytest.mark.parametrize(
    ("changes", "implementation", "neighbours"),
    [
        ({}, "standard", (20, 10)),
        ({"similarity: cosine": "similarity: jaccard"}, "aiolli", (19, 9)),
        ({"shrink: 0.0": "shrink: 5.0"}, "aiolli", (19, 9)),
        ({"shrink: 0.0": "shrink: 5.0", "k: 20": "k: 1"}, "aiolli", (0, 9)),
        ({"shrink: 0.0": "shrink: 5.0", "hood: elliot": "hood: standard"}, "aiolli", (20, 10)),
        ({"hood: elliot": "hood: standard"}, "standard", (20, 10)),
    ],
)
def test_elliot_counts_as_many_others_as_our_neighbourhood_has(
    study: Path, changes: dict[str, str], implementation: str, neighbours: tuple[int, int]
) -> None:
    """`aiolli` does not count a row among its own k neighbours; our `neighbourhood: elliot` does."""
    change_params(changes)
    lookbook("export", "--out", "elliot", "--features", "parity")
    for name in ("elliot", "ducho"):
        models = configuration(name)["models"]
        assert (models["ItemKNN"]["neighbors"], models["UserKNN"]["neighbors"]) == neighbours
        assert {models[model]["implementation"] for model in ("ItemKNN", "UserKNN")} == {implementation}


def change_params(changes: dict[str, str]) -> None:
    params = Path("params.yaml").read_text()
    for old, new in changes.items():
        assert old in params
        params = params.replace(old, new)
    Path("params.yaml").write_text(params)


def test_export_and_import_name_a_neighbourhood_that_elliot_lacks(study: Path) -> None:
    note = "Elliot has no `neighbourhood: standard`: its figures of userknn and itemknn are of another recommender"
    write_lists("ItemKNN_nn=20", first_unseen())
    assert note not in lookbook("import", "elliot").stdout
    assert note not in lookbook("export", "--out", "elliot", "--features", "parity").stdout
    change_params({"hood: elliot": "hood: standard"})
    ended = lookbook("export", "--out", "elliot", "--features", "parity")
    assert ended.stdout.splitlines()[-1].startswith(note)
    write_lists("ItemKNN_nn=20", first_unseen())
    assert lookbook("import", "elliot").stdout.splitlines()[-1].startswith(note)
    change_params({"- userknn\n": "", "- itemknn\n": ""})
    assert "neighbourhood" not in lookbook("export", "--out", "elliot", "--features", "parity").stdout


def test_export_names_a_decay_that_elliot_lacks(study: Path) -> None:
    note = "Elliot's MostPop has no decay: its figures are of another recommender"
    assert note not in lookbook("export", "--out", "elliot", "--features", "parity").stdout
    change_params({"half_life_days: 0": "half_life_days: 30"})
    assert note in lookbook("export", "--out", "elliot", "--features", "parity").stdout


def first_unseen(depth: int = 12) -> pd.DataFrame:
    """List the first items of train that each user has not bought."""
    lists = []
    for user, mine in rows("train").groupby("user"):
        unseen = np.setdiff1d(rows("train")["item"], mine["item"])[:depth]
        lists.append(pd.DataFrame({"user": user, "item": unseen, "score": -np.arange(len(unseen), dtype=float)}))
    return pd.concat(lists)


def test_every_point_of_a_grid_keeps_its_figures_and_lists(study: Path) -> None:
    for name, depth in (("ItemKNN_nn=20_sim=cosine", 12), ("ItemKNN_nn=40_sim=cosine", 3), ("MostPop", 12)):
        write_lists(name, first_unseen(depth))
    ended = lookbook("import", "elliot", "--json", "out.json", "--lists", "own")
    assert ended.exit_code == 0, ended.output
    results = json.loads(Path("out.json").read_text())
    grid = [f"itemknn (ItemKNN_nn={k}_sim=cosine)" for k in (20, 40)]
    assert list(results) == [*grid, "mostpop"]
    assert [results[name]["lists"] for name in grid] == ["ItemKNN_nn=20_sim=cosine.tsv", "ItemKNN_nn=40_sim=cosine.tsv"]
    assert results[grid[0]]["elliot_lists"]["lists_short"] < results[grid[1]]["elliot_lists"]["lists_short"]
    assert all(results[name]["lookbook"]["ndcg_12"] == 0.25 for name in grid)
    assert sorted(path.stem for path in Path("own").iterdir()) == [
        "ItemKNN_nn=20_sim=cosine",
        "ItemKNN_nn=40_sim=cosine",
        "mostpop",
    ]
    assert len({len(path.read_text().splitlines()) for path in Path("own").glob("ItemKNN*")}) == 2
    table = ended.stdout.splitlines()
    shown = [line for line in table if "nDCG@12" in line]
    assert [line.split("nDCG")[0].strip() for line in shown] == list(results)
    assert len({line.index("nDCG@12") for line in shown} | {table[0].index("metric")}) == 1


def test_ids_with_quotes_come_back_as_they_are(study: Path) -> None:
    users = pd.read_csv("elliot/data/users.tsv", sep="\t", header=None, dtype=str)
    users.loc[:1, 1] = ['the "first"', "NA"]
    users.to_csv("elliot/data/users.tsv", sep="\t", header=False, index=False)
    write_lists("MostPop", first_unseen())
    assert lookbook("import", "elliot", "--lists", "own").exit_code == 0
    read = [line.split("\t")[0] for line in Path("own/mostpop.tsv").read_text().splitlines()]
    assert list(dict.fromkeys(read))[:2] == ['the "first"', "NA"]


def test_features_that_do_not_match_the_items_are_counted_and_named(study: Path) -> None:
    folder = Path("data/features/image/parity")
    every = (folder / "ids.txt").read_text().splitlines()
    (folder / "ids.txt").write_text("".join(f"{item.lstrip('0')}\n" for item in every))
    message = error(lookbook("export", "--out", "new", "--features", "parity"))
    assert "of train have no features, first 00000001" in message
    assert message.count("00000001") >= 5
    assert not Path("new").exists()


def test_export_leaves_other_folders_alone(study: Path) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    assert "mine: exists and is no earlier export" in error(lookbook("export", "--out", "mine", "--features", "parity"))
    assert Path("mine/thesis.tex").exists()


def test_export_leaves_repositories_and_links_alone(study: Path) -> None:
    Path("elliot/.git").mkdir(parents=True)
    Path("elliot/lookbook.json").write_text("{}")
    assert "--out elliot: holds .git" in error(lookbook("export", "--out", "elliot", "--features", "parity"))
    Path("empty").mkdir()
    Path("link").symlink_to("empty")
    assert "--out link: a link" in error(lookbook("export", "--out", "link", "--features", "parity"))
    assert Path("elliot/.git").exists()


def test_a_study_without_interactions_is_refused(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data/interactions/items.parquet").unlink()
    assert "dvc repro rec_interactions" in error(lookbook("export", "--out", "new", "--features", "parity"))
    assert "the text augmented is of the catalogue all" in error(
        lookbook("export", "--out", "new", "--text", "augmented", "--catalogue", "original")
    )


def write_lists(name: str, lists: pd.DataFrame, dataset: str = "lookbook") -> Path:
    path = Path(f"elliot/results/{dataset}/recs/{name}.tsv")
    path.parent.mkdir(parents=True, exist_ok=True)
    lists.to_csv(path, sep="\t", header=False, index=False)
    return path


def our_lists(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Return the lists of the study's own ItemKNN in the numbers of the export."""
    monkeypatch.setattr(sys, "argv", ["recsys.fit", "--recommender", "itemknn", "--catalogue", "all"])
    fit.main()
    lists = pd.read_parquet("data/recommendations/all/itemknn.parquet")
    lists = lists[lists["candidates"] == "all"]
    data = restrict(read_split(), "all")
    user, item = np.searchsorted(data.users, lists["user"]), np.searchsorted(data.items, lists["item"])
    return pd.DataFrame({"user": user, "item": item, "score": lists["score"]})


def test_import_scores_a_file_as_the_study_scores_its_own(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_lists("ItemKNN_nn=20_sim=cosine", our_lists(monkeypatch))
    ended = lookbook("import", path, "--json", "out.json", "--lists", "own")
    assert ended.exit_code == 0, ended.output
    result = json.loads(Path("out.json").read_text())["itemknn"]
    assert result["lookbook"]["ndcg_12"] == 0.25  # as in metrics/recommendations.json
    assert result["elliot"] == {}
    recs = pd.read_parquet("data/recommendations/all/itemknn.parquet")
    assert slow_precision(recs[recs["candidates"] == "all"]) == pytest.approx(result["elliot_lists"]["precision_12"])
    own = pd.read_csv("own/itemknn.tsv", sep="\t", header=None, dtype=str)
    names = pd.read_parquet("data/interactions/items.parquet")["item_id"]
    assert set(own[1]) <= set(names)
    assert len(own) == len(pd.read_csv(path, sep="\t", header=None))


def slow_precision(lists: pd.DataFrame) -> float:
    split = read_split()
    values = []
    for user, mine in lists.groupby("user"):
        bought = {item for buyer, item in split.test.tolist() if buyer == user}
        if bought:
            values.append(len(bought & set(mine["item"])) / 12)
    return float(np.mean(values))


def test_import_of_a_folder_without_results_says_what_to_do(study: Path) -> None:
    assert "Elliot has written no lists there" in error(lookbook("import", "elliot"))
    assert "is in no folder that `lookbook elliot export` wrote" in error(lookbook("import", "params.yaml"))
    assert "nowhere: no such file or folder" in error(lookbook("import", "nowhere"))


def test_with_features_rows_of_items_without_features_are_left_out_as_in_elliot(study: Path) -> None:
    train, test = rows("train"), rows("test").iloc[:-1]
    cold = test[~test["item"].isin(train["item"])]
    assert len(cold)
    # every purchase that a list can hold
    findable = test[test["item"].isin(train["item"])][["user", "item"]].assign(score=1.0)
    write_lists("VBPR_seed=42_it=16", findable, "lookbook-words")
    lookbook("import", "elliot", "--json", "out.json")
    values = json.loads(Path("out.json").read_text())["vbpr-words"]
    assert values["elliot_lists"]["recall_12"] == 1
    assert values["lookbook"]["ndcg_5"] == 0.5
    write_lists("MostPop", findable)
    lookbook("import", "elliot", "--json", "out.json")
    assert json.loads(Path("out.json").read_text())["mostpop"]["elliot_lists"]["recall_12"] < 1


@pytest.fixture
def stand_in(study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a checkout with a module `elliot.run`, and set ELLIOT_PYTHON."""
    package = study / "checkout" / "elliot"
    package.mkdir(parents=True)
    (package / "run.py").write_text(STAND_IN.replace("BROKEN", "False"))
    (study / "checkout" / "external" / "models").mkdir(parents=True)
    (study / "checkout" / "external" / "models" / "__init__.py").write_text("external models of the checkout")
    monkeypatch.setenv("ELLIOT_PYTHON", sys.executable)
    return study / "checkout"


def test_run_puts_both_tables_side_by_side(stand_in: Path) -> None:
    old = write_lists("Old", pd.DataFrame({"user": [0], "item": [0], "score": [1.0]}))
    ended = lookbook("run", "elliot", "--checkout", stand_in, "--json", "out.json")
    assert ended.exit_code == 0, ended.output
    results = json.loads(Path("out.json").read_text())
    assert sorted(results) == ["bpr", "itemknn", "mostpop", "random", "userknn", "vbpr-words"]
    assert not old.exists()  # of an earlier run
    assert results["vbpr-words"]["elliot"] == {
        "ndcg_5": 0.25,
        "map_elliot_5": 0.125,
        "ndcg_12": 0.25,
        "map_elliot_12": 0.125,
    }
    assert "ran elliot-words (log: " in ended.stdout
    line = next(line.split() for line in ended.stdout.splitlines() if line.startswith("itemknn") and "nDCG@12" in line)
    assert line == ["itemknn", "nDCG@12", "0.25000", f"{results['itemknn']['elliot_lists']['ndcg_12']:.5f}", "0.25000"]
    assert "greatest difference between Elliot's figures and ours" in ended.stdout
    assert "Elliot, standing in" in Path("elliot/logs/elliot.log").read_text()


def test_run_takes_one_configuration_of_ducho(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELLIOT_PYTHON", os.path.relpath(sys.executable))  # it is started in another folder
    ended = lookbook("run", "elliot", "--checkout", stand_in, "--program", "ducho", "--configuration", "ducho-words")
    assert ended.exit_code == 0, ended.output
    assert "vbpr-words" in ended.stdout
    assert "itemknn" not in ended.stdout
    assert "external models of the checkout" in Path("elliot/logs/ducho-words.log").read_text()
    message = error(lookbook("run", "elliot", "--checkout", stand_in, "--configuration", "elliot-sbert"))
    assert "no elliot-sbert; there are: ducho, ducho-words, elliot, elliot-words" in message


@pytest.mark.slow
def test_ducho_runs_with_the_models_of_the_checkout_that_is_named(stand_in: Path) -> None:
    """A configuration finds them beside its own folder; a new checkout replaces an earlier one."""
    shutil.copytree(stand_in, stand_in.parent / "other")
    (stand_in.parent / "other" / "external" / "models" / "__init__.py").write_text("external models of another")
    for checkout, text in ((stand_in, "of the checkout"), (stand_in.parent / "other", "of another")):
        ended = lookbook("run", "elliot", "--program", "ducho", "--checkout", checkout)
        assert ended.exit_code == 0, ended.output
        assert f"external models {text}" in Path("elliot/logs/ducho.log").read_text()
    Path("elliot/external").unlink()
    shutil.copytree(stand_in / "external", "elliot/external")
    assert lookbook("run", "elliot", "--program", "ducho", "--checkout", stand_in).exit_code == 0
    assert not Path("elliot/external").is_symlink()  # the user's own copy stays
    shutil.rmtree(stand_in / "external")
    message = error(lookbook("run", "elliot", "--program", "ducho", "--checkout", stand_in))
    assert "checkout: no external/models; name the folder of Ducho-meets-Elliot with --checkout" in message
    assert lookbook("run", "elliot", "--checkout", stand_in).exit_code == 0  # Elliot itself has none
    shutil.rmtree("elliot")
    assert (stand_in.parent / "other" / "external" / "models" / "__init__.py").is_file()


def test_what_elliot_printed_last_is_shown_when_it_fails(stand_in: Path) -> None:
    (stand_in / "elliot" / "run.py").write_text(STAND_IN.replace("BROKEN", "True"))
    message = error(lookbook("run", "elliot", "--checkout", stand_in))
    assert "elliot-words.yml: Elliot failed (status 1, log " in message
    assert "RuntimeError: no GPU" in message


def test_an_interpreter_without_elliot_and_none_at_all_are_refused(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELLIOT_PYTHON", raising=False)
    assert "ELLIOT_PYTHON is not set: name the Python that has Elliot 0.3.1" in error(lookbook("run", "elliot"))
    monkeypatch.setenv("ELLIOT_PYTHON", "/nowhere/python")
    assert "ELLIOT_PYTHON=/nowhere/python: no such program" in error(lookbook("run", "elliot"))
    monkeypatch.setenv("ELLIOT_PYTHON", sys.executable)
    message = error(lookbook("run", "elliot"))
    assert "has no Elliot (status 1, log " in message
    assert "ModuleNotFoundError: No module named 'elliot'" in message
    assert "nowhere: no such folder" in error(lookbook("run", "elliot", "--checkout", "nowhere"))
