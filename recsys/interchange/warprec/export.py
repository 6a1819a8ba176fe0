"""Export of one catalogue of a study as a folder that WarpRec runs without changes.

    DIR/data/train.tsv, test.tsv            user, item, 1, seconds since 1970; a pair once
    DIR/data/users.tsv, items.tsv           number in these files, id in the study
    DIR/data/features/<name>/features.npy   a link to the study's own array: it is not copied
    DIR/data/features/<name>/ids.txt        the number of each row's item; rows of items without purchases have one too
    DIR/data/lists/<recommender>.tsv        the study's own lists: user, item, a score that falls to 1
    DIR/config_files/plain.yml              recommenders without features that have a closed form (pipeline `eval`)
    DIR/config_files/epochs.yml             those that learn in epochs (pipeline `train`, which starts Ray)
    DIR/config_files/features-<name>.yml    recommenders on a feature set (`train`)
    DIR/config_files/lists-<name>.yml       WarpRec's figures of the study's own lists (`eval`)
    DIR/results/                            where WarpRec will write
    DIR/lookbook.json                       what was exported, what WarpRec does not have, and the study's own figures

There is no validation file: what is chosen was chosen here, and validation purchases stay in train.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.files import LAYOUT, read_features
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder, write_json
from pipeline.core.params import Section, load, read
from pipeline.names import with_sections
from recsys.interchange.configuration import write_configuration
from recsys.interchange.folder import ABOUT
from recsys.interchange.recommend import read_feature_rows
from recsys.interchange.study import check_free, describe_export, read_pairs, write_ids, write_pairs
from recsys.interchange.warprec.about import PROGRAM, About, Configuration
from recsys.interchange.warprec.configuration import (
    MODELS,
    build_configuration,
    configure_lists,
    configure_model,
    list_differences,
)
from recsys.purchases.dataset import FOLDER, Catalogue
from recsys.ranking.settings import RecFit
from recsys.scoring.arms import build_name
from recsys.scoring.settings import RecScore
from recsys.tuning.choices import choice_path, choose, read_choice

RECOMMENDATIONS = Path("data/recommendations")
CHOICES = Path("metrics/tune")


class Params(Section):
    """What the export reads of a study's params.yaml, beside the sections of the recommenders."""

    recommenders: list[str]
    content_recommenders: list[str]
    rec_fit: RecFit
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
        UserError: The study has no interactions, an item of train has no features, a list would be longer than the
            items of train, or the folder holds something else.
    """
    params = read_params(params_file)
    check_free(out)
    users, items, train, test = read_pairs(FOLDER, catalogue)
    shape = (int(train["user"].max()) + 1, int(train["item"].max()) + 1)
    cutoffs = params.rec_score.cutoffs
    if max(cutoffs) > shape[1]:
        raise UserError(
            f"{params_file}: rec_score.cutoffs: {max(cutoffs)} is more than the {shape[1]} items of train, and WarpRec "
            "makes no shorter lists; lower it"
        )
    settings = read_settings(params, None)
    unlike = list_differences(settings, settings, [name for name, folder in features.items() if _holds_both(folder)])
    about: About = {
        **describe_export(PROGRAM, catalogue, arm, cutoffs, (train, test), unlike),
        "configurations": {},
    }
    with new_folder(out) as partial:
        data = partial / "data"
        data.mkdir()
        write_ids(data, users, items)
        write_pairs(data / "train.tsv", train)
        write_pairs(data / "test.tsv", test)
        for name, folder in features.items():
            _link_features(data / "features" / name, folder, items["id"].tolist(), shape[1])
        lists = _write_lists(data / "lists", params, about, list(features), (users, items))
        about["configurations"] = _write_configurations(partial / "config_files", params, list(features), lists, about)
        write_json(partial / ABOUT, dict(about))
    return about


def read_params(path: Path) -> Params:
    """Read params.yaml with the sections of the recommenders that it names and WarpRec has.

    Raises:
        UserError: Lists every key that is missing or has a value that is not allowed.
    """
    values = load(path)
    named = [*values.get("recommenders", []), *values.get("content_recommenders", [])]
    return read(with_sections(Params, [name for name in MODELS if name in named]), path)


def read_settings(params: Params, features: str | None) -> dict[str, Section]:
    """Return recommender → the settings of the study's fits: those of params.yaml, and what its tuning chose.

    Args:
        params: The study's.
        features: The feature set of recommenders that need one; None: of params.yaml alone for these.
    """
    settings = {}
    for name in MODELS:
        if name in params.recommenders or name in params.content_recommenders:
            own: Section = getattr(params.rec_fit, name)
            needs = name in params.content_recommenders
            path = choice_path(CHOICES, "warm", build_name(name, features if needs else None))
            settings[name] = choose(own, read_choice(path)) if path.is_file() else own
    return settings


def _holds_both(features: Path) -> bool:
    """Tell whether rows hold a picture and words; a folder that is missing is refused later, where it is linked."""
    if not (features / LAYOUT).is_file():
        return False
    read = read_features(features)
    return 0 < read.n_pictures < read.array.shape[1]


def _link_features(folder: Path, features: Path, item_ids: list[str], n_train: int) -> None:
    """Link the array, and write the number of each row's item; items that are not exported have numbers beyond."""
    read_feature_rows(features, item_ids[:n_train])  # WarpRec would take zeros for an item that has none
    if not (features / "features.npy").is_file():
        raise UserError(f"{features}: has no features.npy, which WarpRec reads; write one with its ids.txt")
    folder.mkdir(parents=True)
    (folder / "features.npy").symlink_to((features / "features.npy").resolve())
    number = {item: row for row, item in enumerate(item_ids)}
    for item in read_features(features).ids:
        number.setdefault(item, len(number))
    rows = [number[item] for item in read_features(features).ids]
    (folder / "ids.txt").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def _write_lists(
    folder: Path, params: Params, about: About, features: list[str], ids: tuple[pd.DataFrame, pd.DataFrame]
) -> list[str]:
    """Write the lists of the study's first run that exist, and return their recommenders."""
    folder.mkdir()
    arms = {name: about["catalogue"] for name in params.recommenders}
    arms |= {build_name(name, own): about["arm"] for name in params.content_recommenders for own in features}
    written = []
    for name, arm in arms.items():
        path = RECOMMENDATIONS / arm / f"{name}.parquet"
        if path.is_file():
            rows = _number_lists(path, about["catalogue"], ids)
            rows.to_csv(folder / f"{name}.tsv", sep="\t", header=False, index=False)
            written.append(name)
    return written


def _number_lists(path: Path, catalogue: str, ids: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    """Read lists as numbers of the export: user, item, and a score that is above the 0 of what is not listed."""
    rows = pd.read_parquet(path, columns=["candidates", "run", "user", "item", "rank"])
    rows = rows[(rows["run"] == 0) & (rows["candidates"] == catalogue)]
    columns: dict[str, Any] = {}
    for kind, own in zip(("user", "item"), ids, strict=True):
        every = pd.read_parquet(FOLDER / f"{kind}s.parquet")[f"{kind}_id"].to_numpy()
        number = pd.Series(np.arange(len(own)), index=own["id"])
        columns[kind] = number[every[rows[kind]]].to_numpy()
    columns["score"] = int(rows["rank"].max()) + 1 - rows["rank"].to_numpy()
    return pd.DataFrame(columns).sort_values(["user", "score"], ascending=[True, False])


def _write_configurations(
    folder: Path, params: Params, features: list[str], lists: list[str], about: About
) -> dict[str, Configuration]:
    """Write every configuration, and return what each runs."""
    folder.mkdir()
    configurations: dict[str, Configuration] = {}
    for name, of_features in (("plain", None), ("epochs", None), *((f"features-{own}", own) for own in features)):
        settings = read_settings(params, of_features)
        axis = params.recommenders if of_features is None else params.content_recommenders
        learns = name != "plain"
        chosen = [own for own in settings if own in axis and ("epochs" in MODELS[own].keys) == learns]
        shape, seed = (about["users"], about["items"]), params.rec_fit.seed
        models = {MODELS[own].name: configure_model(own, settings[own], shape, seed) for own in chosen}
        if models:
            values = build_configuration(name, models, about["cutoffs"], of_features)
            write_configuration(folder / f"{name}.yml", values)
            epochs = {model: section["epochs"] for model, section in models.items() if learns}
            pipeline = "train" if learns else "eval"
            configurations[name] = {"pipeline": pipeline, "features": of_features, "lists": None, "epochs": epochs}
    for recommender in lists:
        name = f"lists-{recommender}"
        write_configuration(
            folder / f"{name}.yml", build_configuration(name, configure_lists(recommender), about["cutoffs"])
        )
        configurations[name] = {"pipeline": "eval", "features": None, "lists": recommender, "epochs": {}}
    return configurations
