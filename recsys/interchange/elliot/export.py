"""Export of one catalogue of a study as a folder that Elliot and Ducho-meets-Elliot run without changes.

    DIR/data/train.tsv, test.tsv            user, item, 1, seconds since 1970; a pair once
    DIR/data/users.tsv, items.tsv           number in these files, id in the study
    DIR/data/features/<name>/<number>.npy   a vector (dim,) of each item of train, for Elliot's VisualAttribute loader
    DIR/config_files/elliot.yml, ducho.yml, and elliot-<name>.yml, ducho-<name>.yml for VBPR on a feature set
    DIR/results/                            where Elliot will write
    DIR/lookbook.json                       what was exported, what Elliot does not have, and the study's own figures

Numbers are dense (see `recsys.interchange.study`): with ids that are not, Elliot mixes up the features of items. Its
loader reads no features at all while there is nothing to filter out: the last row of test.tsv, a user and an item that
are in no other row, makes it read them and counts in no metric.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core.outputs import new_folder, write_json
from pipeline.core.params import Section, read
from recsys.interchange.configuration import write_configuration
from recsys.interchange.elliot.about import PROGRAM, About
from recsys.interchange.elliot.configuration import (
    OURS,
    WITH_FEATURES,
    ElliotFit,
    build_configuration,
    list_differences,
    name_dataset,
)
from recsys.interchange.folder import ABOUT
from recsys.interchange.recommend import read_feature_rows
from recsys.interchange.study import check_free, describe_export, read_pairs, write_ids, write_pairs
from recsys.purchases.dataset import FOLDER, Catalogue
from recsys.scoring.arms import build_name
from recsys.scoring.settings import RecScore
from recsys.tuning.choices import choice_path, choose, read_choice

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
    check_free(out)
    users, items, train, test = read_pairs(FOLDER, catalogue)
    unlike = list_differences(read_fit(params, None), params.recommenders)
    about: About = {
        **describe_export(PROGRAM, catalogue, arm, params.rec_score.cutoffs, (train, test), unlike),
        "features": {name_dataset(name): name for name in [None, *features]},
    }
    with new_folder(out) as partial:
        _write_data(partial / "data", users, items, train, test)
        for name, folder in features.items():
            _write_features(partial / "data" / "features" / name, folder, items["id"].tolist()[: about["items"]])
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


def _write_data(
    folder: Path, users: pd.DataFrame, items: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame
) -> None:
    folder.mkdir()
    write_ids(folder, users, items)
    nowhere_else = pd.DataFrame({"user": [len(users)], "item": [len(items)], "day": [int(train["day"].max())]})
    for name, table in (("train", train), ("test", pd.concat([test, nowhere_else]))):
        write_pairs(folder / f"{name}.tsv", table)


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
