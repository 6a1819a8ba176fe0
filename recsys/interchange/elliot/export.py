"""Export of one catalogue of a study as a folder that Elliot and Ducho-meets-Elliot run without changes.

    DIR/data/train.tsv, test.tsv            user, item, 1, seconds since 1970; a pair once
    DIR/data/users.tsv, items.tsv           number in these files, id in the study
    DIR/data/features/<name>/<number>.npy   a vector (dim,) of each item of train, for Elliot's VisualAttribute loader
    DIR/config_files/elliot.yml, ducho.yml, and elliot-<name>.yml, ducho-<name>.yml for VBPR on a feature set
    DIR/results/                            where Elliot will write
    DIR/lookbook.json                       what was exported, what Elliot does not have, and the study's own figures

Numbers are dense: 0 … n − 1 for the users and items of train (in our order, so that ties are broken alike), then those
that only test has. With ids that are not dense Elliot mixes up the features of items. Its loader reads no features at
all while there is nothing to filter out: the last row of test.tsv, a user and an item that are in no other row, makes
it read them and counts in no metric.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cells.times import SECONDS_A_DAY
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder, write_json
from pipeline.core.params import Section, read
from recsys.interchange.elliot.about import ABOUT, About
from recsys.interchange.elliot.configuration import (
    OURS,
    WITH_FEATURES,
    ElliotFit,
    build_configuration,
    list_differences,
    name_dataset,
    write_configuration,
)
from recsys.interchange.recommend import read_feature_rows
from recsys.purchases.dataset import FOLDER, PUBLISHED, Catalogue
from recsys.scoring.arms import build_name
from recsys.scoring.settings import RecScore
from recsys.tuning.choices import choice_path, choose, read_choice

METRICS = Path("metrics/recommendations.json")
CHOICES = Path("metrics/tune")


class Params(Section):
    """What the export reads of a study's params.yaml."""

    recommenders: list[str]
    rec_fit: ElliotFit
    rec_score: RecScore


def export(out: Path, catalogue: Catalogue, features: dict[str, Path], arm: str, params_file: Path) -> About:
    """Write the folder, and return the contents of its `lookbook.json`.

    Args:
        out: The folder to write; an earlier export is replaced.
        catalogue: The catalogue to export.
        features: Name → folder of features of the items.
        arm: The catalogue or the text that the features are of, as in metrics/recommendations.json.
        params_file: The study's params.yaml.

    Raises:
        UserError: The study has no interactions, an item of train has no features, or the folder holds something else.
    """
    params = read(Params, params_file)
    _check_free(out)
    users, items, train, test = read_pairs(FOLDER, catalogue)
    n_items = int(train["item"].max()) + 1
    about: About = {
        "catalogue": catalogue,
        "arm": arm,
        "cutoffs": params.rec_score.cutoffs,
        "users": int(train["user"].max()) + 1,
        "items": n_items,
        "train": len(train),
        "test": len(test),
        "test_rows_of_items_not_in_train": int((test["item"] >= n_items).sum()),
        "features": {name_dataset(name): name for name in [None, *features]},
        "unlike": list_differences(read_fit(params, None), params.recommenders),
        "study": read_study_figures(arm, catalogue),
    }
    with new_folder(out) as partial:
        _write_data(partial / "data", users, items, train, test)
        for name, folder in features.items():
            _write_features(partial / "data" / "features" / name, folder, items["id"].tolist()[:n_items])
        _write_configurations(partial / "config_files", params, list(features))
        write_json(partial / ABOUT, dict(about))
    return about


def read_fit(params: Params, features: str | None) -> ElliotFit:
    """Return the settings of the study's fits: those of params.yaml, and what its tuning chose.

    Args:
        params: the study's.
        features: the feature set of recommenders that need one.
    """
    names = {name: features if name in WITH_FEATURES else None for name in set(OURS.values()) - {"random"}}
    paths = {name: choice_path(CHOICES, "warm", build_name(name, own)) for name, own in names.items()}
    chosen = {
        name: choose(getattr(params.rec_fit, name), read_choice(path)) for name, path in paths.items() if path.is_file()
    }
    return params.rec_fit.model_copy(update=chosen)


def read_pairs(folder: Path, catalogue: Catalogue) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Read users and items (`id`, row = number), and the distinct pairs (`user`, `item`, `day`) of train and of test.

    Raises:
        UserError: There are no interactions, or none in the catalogue.
    """
    if not (folder / "items.parquet").is_file():
        raise UserError(f"{folder}: no interactions; `dvc repro rec_interactions` makes them")
    every_item, every_user = pd.read_parquet(folder / "items.parquet"), pd.read_parquet(folder / "users.parquet")
    own = folder / PUBLISHED / catalogue
    rows = [pd.read_parquet((own if own.is_dir() else folder) / f"{name}.parquet") for name in ("train", "test")]
    members = np.ones(len(every_item), bool) if catalogue == "all" else every_item["original"].to_numpy(bool)
    train, test = (_distinct_pairs(table[members[table["item"]]]) for table in rows)
    if train.empty:
        raise UserError(f"{folder}: no train purchase in the catalogue {catalogue}")
    users, items = (_number_densely(train[kind], test[kind]) for kind in ("user", "item"))
    for table in (train, test):
        table["user"], table["item"] = users[table["user"]].to_numpy(), items[table["item"]].to_numpy()
    user_ids, item_ids = every_user["user_id"].to_numpy()[users.index], every_item["item_id"].to_numpy()[items.index]
    return (
        pd.DataFrame({"id": user_ids}),
        pd.DataFrame({"id": item_ids}),
        train.sort_values(["user", "item"]),
        test.sort_values(["user", "item"]),
    )


def read_study_figures(arm: str, catalogue: str) -> dict[str, dict[str, float]]:
    """Return recommender → figures of the study, of the arm for recommenders with features; empty before it is scored.

    Args:
        arm: The catalogue or the text of the features.
        catalogue: The arm's catalogue, for recommenders without features.
    """
    if not METRICS.is_file():
        return {}
    metrics = json.loads(METRICS.read_text(encoding="utf-8"))
    figures = {}
    for name, values in (metrics.get(catalogue, {}) | metrics.get(arm, {})).items():
        if isinstance(values, dict):
            figures[name] = {key: value for key, value in values.items() if isinstance(value, float)}
    return figures


def _distinct_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per pair, of its last day."""
    return rows.groupby(["user", "item"], as_index=False, sort=True).agg({"day": "max"})


def _number_densely(train: pd.Series, test: pd.Series) -> pd.Series:
    """Index of the study → number: those of train ascending, then those of test alone."""
    warm = np.unique(train)
    cold = np.setdiff1d(test, warm)
    return pd.Series(np.arange(len(warm) + len(cold)), index=np.concatenate([warm, cold]))


def _check_free(out: Path) -> None:
    if out.exists() and not (out / ABOUT).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists and is no earlier export; name a new folder")


def _write_data(
    folder: Path, users: pd.DataFrame, items: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    folder.mkdir()
    for name, table in (("users", users), ("items", items)):
        table.to_csv(folder / f"{name}.tsv", sep="\t", header=False)
    nowhere_else = pd.DataFrame({"user": [len(users)], "item": [len(items)], "day": [int(train["day"].max())]})
    for name, table in (("train", train), ("test", pd.concat([test, nowhere_else]))):
        rows = table.assign(rating=1, time=table["day"].astype(np.int64) * SECONDS_A_DAY)
        rows[["user", "item", "rating", "time"]].to_csv(folder / f"{name}.tsv", sep="\t", header=False, index=False)


def _write_features(folder: Path, features: Path, item_ids: list[str]) -> None:
    folder.mkdir(parents=True)
    for rows, block in read_feature_rows(features, item_ids).blocks():
        for number, vector in enumerate(block, start=rows.start):
            np.save(folder / f"{number}.npy", vector, allow_pickle=False)


def _write_configurations(folder: Path, params: Params, features: list[str]) -> None:
    folder.mkdir()
    for program in ("elliot", "ducho"):
        for name in [None, *features]:
            values = build_configuration(
                read_fit(params, name),
                params.rec_score.cutoffs,
                params.recommenders,
                name,
                ducho=program == "ducho",
                gpu=False,
            )
            write_configuration(folder / (f"{program}.yml" if name is None else f"{program}-{name}.yml"), values)
