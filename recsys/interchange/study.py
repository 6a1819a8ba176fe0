"""What exports to other programs read of a study, and their files of ids and pairs.

Numbers are dense: 0 … n − 1 for the users and items of train (in our order, so that ties are broken alike), then those
that only test has.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cells.times import SECONDS_A_DAY
from pipeline.core.errors import UserError
from pipeline.core.params import load
from pipeline.destinations import check_folder
from recsys.interchange.folder import ABOUT, About
from recsys.purchases.dataset import PUBLISHED, Catalogue
from recsys.scoring.arms import catalogue_of

IMAGE = Path("data/features/image")
TEXT = Path("data/features/text")
METRICS = Path("metrics/recommendations.json")


def choose_features(
    catalogue: Catalogue | None, text: str | None, names: list[str] | None, params_file: Path
) -> tuple[Catalogue, dict[str, Path]]:
    """Choose what an export is of: its catalogue, and name → folder of each feature set.

    Args:
        catalogue: The catalogue; None: that of the text, else original.
        text: The text whose features are exported; None: those of images.
        names: The feature sets; None: all that the parameter file names.
        params_file: The study's params.yaml.

    Raises:
        UserError: There is no such text, or it is of another catalogue.
    """
    of_text = None if text is None else catalogue_of(text)
    if of_text is not None and catalogue not in (None, of_text):
        raise UserError(f"--catalogue {catalogue}: the text {text} is of the catalogue {of_text}")
    axis, folder = ("image_features", IMAGE) if text is None else ("text_features", TEXT / text)
    chosen = load(params_file).get(axis, []) if names is None else names
    return of_text or catalogue or "original", {name: folder / name for name in chosen}


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


def describe_export(
    program: str,
    catalogue: Catalogue,
    arm: str,
    cutoffs: list[int],
    pairs: tuple[pd.DataFrame, pd.DataFrame],
    unlike: list[str],
) -> About:
    """Return what `lookbook.json` says of every export.

    Args:
        program: The program that the export is for.
        catalogue: The catalogue that is exported.
        arm: The catalogue or the text of the features.
        cutoffs: Those of the section `rec_score`.
        pairs: Those of train and of test.
        unlike: Sentences about recommenders that the program does not have.
    """
    train, test = pairs
    n_items = int(train["item"].max()) + 1
    return {
        "program": program,
        "catalogue": catalogue,
        "arm": arm,
        "cutoffs": cutoffs,
        "users": int(train["user"].max()) + 1,
        "items": n_items,
        "train": len(train),
        "test": len(test),
        "test_rows_of_items_not_in_train": int((test["item"] >= n_items).sum()),
        "unlike": unlike,
        "study": read_study_figures(arm, catalogue),
    }


def check_free(out: Path) -> None:
    """Refuse a folder that holds something else than an earlier export.

    Raises:
        UserError: It does, or no command may replace it.
    """
    check_folder("--out", out)
    if out.exists() and not (out / ABOUT).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists and is no earlier export; name a new folder")


def write_ids(folder: Path, users: pd.DataFrame, items: pd.DataFrame) -> None:
    """Write users.tsv and items.tsv: number in the exported files, id in the study."""
    for name, table in (("users", users), ("items", items)):
        table.to_csv(folder / f"{name}.tsv", sep="\t", header=False)


def write_pairs(path: Path, pairs: pd.DataFrame) -> None:
    """Write pairs as user, item, 1, seconds since 1970, without a header."""
    rows = pairs.assign(rating=1, time=pairs["day"].astype(np.int64) * SECONDS_A_DAY)
    rows[["user", "item", "rating", "time"]].to_csv(path, sep="\t", header=False, index=False)


def _distinct_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per pair, of its last day."""
    return rows.groupby(["user", "item"], as_index=False, sort=True).agg({"day": "max"})


def _number_densely(train: pd.Series, test: pd.Series) -> pd.Series:
    """Index of the study → number: those of train ascending, then those of test alone."""
    warm = np.unique(train)
    cold = np.setdiff1d(test, warm)
    return pd.Series(np.arange(len(warm) + len(cold)), index=np.concatenate([warm, cold]))
