"""Lists from anyone's purchases: what `lookbook recommend` does.

Users are in the order of their first purchase in the file and items by number (as text where an id is no whole number), which is
Elliot's order for small numbers and decides ties. A pair that is twice in the file has its last rating, as in Elliot.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydantic
import scipy.sparse as sp

from features.files import Rows, all_rows, read_features
from pipeline.core.errors import SHOWN, UserError, first_five
from pipeline.core.params import REFERENCE, Section, load, suggest
from recsys import recommenders
from recsys.interchange.evaluate import last_of_each
from recsys.interchange.reading import Pairs
from recsys.purchases.dataset import Dataset, dataset_of
from recsys.ranking.recommend import Lists, recommend
from recsys.ranking.settings import Run

SECONDS_A_DAY = 86_400


def settings_of(model: str, changes: dict[str, Any]) -> Section:
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
            f"{one['loc'][0]}: missing; give it with --set {one['loc'][0]}=VALUE"
            if one["type"] == "missing"
            else f"{one['loc'][0]}: {one['input']!r} is not allowed; {one['msg'].lower()}"
            for one in error.errors()
        ]
        raise UserError("; ".join(problems)) from None


def dataset(rows: Pairs, binary: bool) -> tuple[Dataset, pa.Array]:
    """The purchases as recommenders see them, and the ids of the users of its rows.

    Args:
        binary: take every rating as 1.

    Raises:
        UserError: a rating is 0 or less.
    """
    users, n_items = rows.user.names, len(rows.item.names)
    order = by_number_or_text(rows.item.names)
    column = np.empty(n_items, dtype=np.int32)
    column[order] = np.arange(n_items, dtype=np.int32)
    names = rows.item.names.take(pa.array(order)).to_pylist()
    user, item = rows.user.codes, column[rows.item.codes]
    rating = rows.values.get("rating") if not binary else None
    value = np.ones(len(user), np.float32) if rating is None else rating.astype(np.float32)
    time = rows.values.get("timestamp")
    train = sp.csr_matrix((value, (user, item)), shape=(len(users), n_items))
    last = _last_days(user, item, time, n_items) if time is not None else None
    if train.nnz < len(user):  # scipy has added up the pairs that are there twice
        kept = last_of_each(user, item, value, n_items)
        train = sp.csr_matrix((kept[2], kept[:2]), shape=train.shape)
    train.sort_indices()
    return dataset_of(train, names, last_day=last), users


def by_number_or_text(names: pa.Array) -> np.ndarray:
    """The order of ids: by number where every one is a whole number, else as text: (n_ids,) places."""
    texts = np.array(names.to_pylist(), dtype=object)
    if pc.all(pc.match_substring_regex(names, r"^-?[0-9]{1,18}$")).as_py():
        return np.lexsort((texts.astype(str), texts.astype(np.int64)))
    return np.argsort(texts.astype(str), kind="stable")


def lists_of(data: Dataset, model: str, settings: Section, run: Run, features: Path | None) -> Lists:
    """The best unseen items of every user by one recommender.

    Raises:
        UserError: there is no such recommender, or features are missing or given in vain.
    """
    recommender = recommenders.load(model)
    if recommender.NEEDS_FEATURES and features is None:
        raise UserError(f"{model} needs --features: a folder with features.npy and ids.txt, or with one ID.npy an item")
    if not recommender.NEEDS_FEATURES and features is not None:
        raise UserError(f"{model} uses no features: leave out --features {features}")
    vectors = None if features is None else feature_rows(features, data.item_ids)
    scorer = recommender.fit(data, settings, run, vectors)
    everything = np.ones(len(data.item_ids), dtype=bool)
    return recommend(scorer, data.train, run.top_k, {"all": everything}, run.threads)["all"]


def feature_rows(folder: Path, item_ids: list[str]) -> Rows:
    """The features of these items, found by id: (n_items, dim).

    Raises:
        UserError: no such folder, an id comes twice, an item has no features, or a value is not finite.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of features")
    rows = _one_array(folder, item_ids) if (folder / "features.npy").is_file() else _one_file_an_item(folder, item_ids)
    finite = np.concatenate([np.isfinite(block).all(1) for _, block in rows.blocks()])
    broken = np.flatnonzero(~finite)
    if len(broken):
        names = first_five([item_ids[place] for place in broken[: SHOWN + 1]])
        raise UserError(
            f"{folder}: {len(broken)} of {len(rows)} items have features that are not finite, first {names}"
        )
    return rows


def _one_array(folder: Path, item_ids: list[str]) -> Rows:
    features = read_features(folder)
    twice = [item for item, times in Counter(features.ids).items() if times > 1]
    if twice:
        raise UserError(
            f"{folder}: ids.txt has {len(twice)} items more than once, first {first_five(twice)}; every row needs an id of its own"
        )
    _check_ids(folder, set(features.ids), item_ids)
    return features.of(item_ids)


def _one_file_an_item(folder: Path, item_ids: list[str]) -> Rows:
    _check_ids(folder, {path.stem for path in folder.glob("*.npy")}, item_ids)
    vectors = [np.load(folder / f"{item}.npy", allow_pickle=False).ravel().astype(np.float32) for item in item_ids]
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        raise UserError(
            f"{folder}: vectors of different lengths, from {min(lengths)} to {max(lengths)}; expected one length"
        )
    return all_rows(np.stack(vectors))


def _check_ids(folder: Path, known: set[str], item_ids: list[str]) -> None:
    missing = [item for item in item_ids if item not in known]
    if missing:
        there = (
            f"; the folder has {first_five(sorted(known)[: SHOWN + 1])}"
            if len(missing) == len(item_ids) and known
            else ""
        )
        raise UserError(
            f"{folder}: {len(missing)} of {len(item_ids)} items of train have no features, first {first_five(missing)}{there}"
        )


def _last_days(user: np.ndarray, item: np.ndarray, time: np.ndarray, n_items: int) -> np.ndarray:
    """The latest day of each pair, by user and item."""
    order = np.lexsort((time, user.astype(np.int64) * n_items + item))
    return last_of_each(user[order], item[order], (time[order] // SECONDS_A_DAY).astype(np.int32), n_items)[2]
