"""Lists from the purchases of a file, for `lookbook recommend`.

Users are in the order of their first purchase in the file. Items are ordered by number, or as text where an id is not a
whole number: Elliot's order for small numbers, which decides ties. A pair that is twice in the file has its last
rating, as in Elliot.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydantic
import scipy.sparse as sp

from features.files import Rows, all_rows, load_array, read_columns, read_features
from pipeline.cells.times import SECONDS_A_DAY
from pipeline.core.errors import SHOWN, UserError, first_five
from pipeline.core.params import REFERENCE, Section, load, suggest
from recsys import recommenders
from recsys.interchange.reading import Pairs, take_last_rows
from recsys.purchases.dataset import Dataset, dataset_of
from recsys.ranking.recommend import recommend
from recsys.ranking.settings import Run
from recsys.ranking.topk import Lists
from recsys.recommenders import userknn

BOUNDED = ("k", "neighbours")  # counts of users or items, of which there are no more than the purchases have
DRAW = 2  # beside the seed: other draws by the same seed choose other users


def build_settings(model: str, changes: dict[str, Any]) -> Section:
    """Return the recommender's section of `rec_fit` of studies/sample.yaml with these changes.

    A key that other recommenders alone have changes nothing.

    Raises:
        UserError: there is no such recommender; or lists every key that no recommender has, every value that is not
            allowed and every key that has no value.
    """
    own = recommenders.load(model).Settings
    sections = {name: keys for name, keys in load(REFERENCE)["rec_fit"].items() if isinstance(keys, dict)}
    known = list(dict.fromkeys([*own.model_fields, *(key for keys in sections.values() for key in keys)]))
    unknown = [f"{key}: no such option{suggest(key, known)}" for key in changes if key not in known]
    if unknown:
        raise UserError("; ".join(unknown) + f"; there are: {', '.join(known)}")
    values = sections.get(model, {}) | {key: value for key, value in changes.items() if key in own.model_fields}
    try:
        return own(**values)
    except pydantic.ValidationError as error:
        problems = [
            str(problem["ctx"]["error"])
            if not problem["loc"]  # a check of several keys
            else f"{problem['loc'][0]}: missing; give it with --set {problem['loc'][0]}=VALUE"
            if problem["type"] == "missing"
            else f"{problem['loc'][0]}: {problem['input']!r} is not allowed; {problem['msg'].lower()}"
            for problem in error.errors()
        ]
        raise UserError("; ".join(problems)) from None


def build_dataset(rows: Pairs, binary: bool) -> tuple[Dataset, pa.Array]:
    """Return the purchases as recommenders read them, and the ids of the users of its rows.

    Args:
        rows: The purchases.
        binary: Take every rating as 1.

    Raises:
        UserError: A rating is 0 or less.
    """
    users, n_items = rows.user.names, len(rows.item.names)
    order = order_ids(rows.item.names)
    column = np.empty(n_items, dtype=np.int32)
    column[order] = np.arange(n_items, dtype=np.int32)
    names = rows.item.names.take(pa.array(order)).to_pylist()
    user, item = rows.user.codes, column[rows.item.codes]
    rating = rows.values.get("rating") if not binary else None
    value = np.ones(len(user), np.float32) if rating is None else rating.astype(np.float32)
    time = rows.values.get("timestamp")
    train = sp.csr_matrix((value, (user, item)), shape=(len(users), n_items))
    last = _last_days(user, item, time, n_items) if time is not None else None
    if train.nnz < len(user):  # a pair is there twice, and scipy has added up its ratings
        user, item, value = take_last_rows(user, item, value, n_items)
        train = sp.csr_matrix((value, (user, item)), shape=train.shape)
    train.sort_indices()
    return dataset_of(train, names, last_day=last), users


def order_ids(names: pa.Array) -> np.ndarray:
    """Return the indices that order ids, by number where all are whole numbers, else as text: (n_ids,).

    >>> order_ids(pa.array(["10", "9", "100"])).tolist(), order_ids(pa.array(["10", "9", "x"])).tolist()
    ([1, 0, 2], [0, 1, 2])
    """
    texts = np.array(names.to_pylist(), dtype=object)
    if pc.all(pc.match_substring_regex(names, r"^-?[0-9]{1,18}$")).as_py():
        return np.lexsort((texts.astype(str), texts.astype(np.int64)))
    return np.argsort(texts.astype(str), kind="stable")


def draw_users(n_users: int, wanted: int, seed: int) -> np.ndarray:
    """Draw users whose lists are made, ascending; all where so many are wanted.

    >>> draw_users(3, 5, 42).tolist(), len(draw_users(5, 3, 42))
    ([0, 1, 2], 3)
    """
    return np.sort(np.random.default_rng((seed, DRAW)).choice(n_users, min(wanted, n_users), replace=False))


def make_lists(
    data: Dataset, model: str, settings: Section, run: Run, features: Path | None, users: np.ndarray | None = None
) -> Lists:
    """Return the best unseen items of users by one recommender.

    Args:
        data: the purchases.
        model: the recommender.
        settings: its section.
        run: seed, length of a list and what it runs on.
        features: the folder of features, where it needs them.
        users: those with a list, ascending; None: all. UserKNN finds the neighbours of no other, and the rest learns
            from all.

    Raises:
        UserError: there is no such recommender, or features are missing or given in vain.
    """
    recommender = recommenders.load(model)
    if recommender.NEEDS_FEATURES and features is None:
        raise UserError(f"{model} needs --features: a folder with features.npy and ids.txt, or with one ID.npy an item")
    if not recommender.NEEDS_FEATURES and features is not None:
        raise UserError(f"{model} uses no features: leave out --features {features}")
    vectors = None if features is None else read_feature_rows(features, data.item_ids)
    everything = {"all": np.ones(len(data.item_ids), dtype=bool)}
    settings, run = bound_counts(settings, data), replace(run, top_k=min(run.top_k, len(data.item_ids)))
    if users is not None and isinstance(settings, userknn.Settings):
        scorer, train = userknn.fit_some(data, settings, run, users), data.train[users]
        return recommend(scorer, train, run.top_k, everything, run.threads, run.device)["all"]
    fitted = recommender.fit(data, settings, run, vectors)
    items, scores = recommend(fitted, data.train, run.top_k, everything, run.threads, run.device)["all"]
    return (items, scores) if users is None else (items[users], scores[users])


def bound_counts(settings: Section, data: Dataset) -> Section:
    """Return the settings with no more neighbours than there are users and items: more give the same lists.

    Memory is taken for all that are asked for.
    """
    most = max(data.train.shape)
    values = settings.model_dump()
    return settings.model_copy(update={key: min(values[key], most) for key in BOUNDED if key in values})


def read_feature_rows(folder: Path, item_ids: list[str]) -> Rows:
    """Return the features of these items, by id: (n_items, dim).

    Args:
        folder: Holds features.npy and ids.txt, or a file ID.npy for each item.
        item_ids: The items, in the order of the rows.

    Raises:
        UserError: No such folder, an id comes twice, an item has no features, there are no columns, or a value is not
            finite.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of features")
    rows = _read_array(folder, item_ids) if (folder / "features.npy").is_file() else _read_vectors(folder, item_ids)
    if not rows.shape[1]:
        raise UserError(f"{folder}: features of shape {rows.shape}; expected one column at least: extract them again")
    finite = np.concatenate([np.isfinite(block).all(1) for _, block in rows.blocks()])
    broken = np.flatnonzero(~finite)
    if len(broken):
        names = first_five([item_ids[row] for row in broken[: SHOWN + 1]])
        raise UserError(
            f"{folder}: {len(broken)} of {len(rows)} items have features that are not finite, first {names}"
        )
    return rows


def _read_array(folder: Path, item_ids: list[str]) -> Rows:
    features = read_features(folder)
    twice = [item for item, times in Counter(features.ids).items() if times > 1]
    if twice:
        raise UserError(
            f"{folder}: ids.txt has {len(twice)} items more than once, first {first_five(twice)}; "
            "every row needs an id of its own"
        )
    _check_ids(folder, set(features.ids), item_ids)
    return features.select(item_ids)


def _read_vectors(folder: Path, item_ids: list[str]) -> Rows:
    _check_ids(folder, {path.stem for path in folder.glob("*.npy")}, item_ids)
    vectors = [load_array(folder / f"{item}.npy").ravel().astype(np.float32) for item in item_ids]
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        raise UserError(
            f"{folder}: vectors of different lengths, from {min(lengths)} to {max(lengths)}; expected one length"
        )
    rows = all_rows(np.stack(vectors))
    return replace(rows, source=str(folder), n_pictures=read_columns(folder, rows.shape[1]))


def _check_ids(folder: Path, known: set[str], item_ids: list[str]) -> None:
    missing = [item for item in item_ids if item not in known]
    if missing:
        note = ""
        if len(missing) == len(item_ids) and known:
            note = f"; the folder has {first_five(sorted(known)[: SHOWN + 1])}"
        raise UserError(
            f"{folder}: {len(missing)} of {len(item_ids)} items of train have no features, "
            f"first {first_five(missing)}{note}"
        )


def _last_days(user: np.ndarray, item: np.ndarray, time: np.ndarray, n_items: int) -> np.ndarray:
    """The latest day of each pair, by user and item."""
    order = np.lexsort((time, user.astype(np.int64) * n_items + item))
    return take_last_rows(user[order], item[order], (time[order] // SECONDS_A_DAY).astype(np.int32), n_items)[2]
