"""The words of every arrival from one source."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from catalogue.arrivals.controls import deal_to_other_products, replace_words
from catalogue.descriptions.sources import CAPTIONS, WITHOUT_CAPTIONS, find_caption_file, name_captions, read_percent
from features.files import read_features
from features.neighbours import find_nearest
from pipeline.core.errors import UserError, first_five

TABLE = ("category", "colour")  # the columns that a sentence is made of
UNNAMED = ("", "item", "other")  # values that say nothing, in any case: of an article without category or colour


@dataclass(frozen=True)
class Arrivals:
    """What the sources of a study are made from.

    Attributes:
        items: the arrivals, sorted by id, with item_id, description, group and the columns of TABLE.
        validation: the validation arrivals in the same form.
        train: the items of split train in the same form; `nearest` alone reads them.
        writer: the captioner whose captions are shuffled.
        captions: the folder of caption files.
        truth: the table with a second description, where the data has one.
        pictures: the folder of the picture features that say which train item is nearest.
        seed: of what is drawn.
    """

    items: pd.DataFrame
    validation: pd.DataFrame
    train: pd.DataFrame
    writer: str
    captions: Path
    truth: Path
    pictures: Path
    seed: int


def find_words(source: str, arrivals: Arrivals) -> pd.DataFrame:
    """Find the words of every arrival, sorted by id: item_id and text.

    A source that needs no caption has the words of the validation arrivals too.

    Args:
        source: a name from `expand_sources`.
        arrivals: what the words are made from.

    Raises:
        UserError: the source lacks an arrival.
    """
    if source in WITHOUT_CAPTIONS:
        both = pd.concat([arrivals.items, arrivals.validation]).sort_values("item_id", ignore_index=True)
        arrivals = replace(arrivals, items=both)
    percent = read_percent(source)
    if source in FIND:
        text = FIND[source](arrivals)
    elif percent is not None:
        text = replace_words(arrivals.items["description"].tolist(), percent, np.random.default_rng(arrivals.seed))
    else:
        text = _read_captions(source, arrivals)
    return pd.DataFrame({"item_id": arrivals.items["item_id"], "text": text}, dtype=object)


def describe_row(row: pd.Series) -> str:
    """Write what the shop's table says of an item as a sentence; what it does not know is left out.

    >>> describe_row(pd.Series({"category": "Dress", "colour": "red"})), describe_row(pd.Series({"category": "Dress"}))
    ('Dress, red.', 'Dress.')
    """
    values = [str(row[column]) for column in TABLE if pd.notna(row.get(column))]
    named = [value for value in values if value.lower() not in UNNAMED]
    return ", ".join(named) + "." if named else ""


def _describe_rows(arrivals: Arrivals) -> list[str]:
    return [describe_row(row) for _, row in arrivals.items.iterrows()]


def _read_second(arrivals: Arrivals) -> list[str]:
    path = arrivals.truth
    if not path.is_file():
        raise UserError(f"{path}: no such file; run `dvc repro catalogue_prepare`")
    truth = pd.read_parquet(path)
    if "second_description" not in truth:
        raise UserError(
            f"{path}: source second: this data has no second description (column second_description); take `second` "
            "out of `sources` in params.yaml"
        )
    return _select(truth.set_index("item_id")["second_description"], "second", arrivals, path)


def _read_captions(source: str, arrivals: Arrivals) -> list[str]:
    path = find_caption_file(source, arrivals.captions)
    if not path.is_file():
        kept = sorted(int(file.stem) for file in path.parent.glob("[0-9]*.parquet"))
        of_epoch = (
            f" (epochs kept of this captioner: {', '.join(map(str, kept)) or 'none'}; caption_train.keep_epochs: true "
            "keeps those that it is trained for)"
        )
        raise UserError(
            f"{path}: no such file, but `sources` in params.yaml names it; run `dvc repro` to write it"
            + (of_epoch if path.name != f"{source}.parquet" else "")
        )
    captions = pd.read_parquet(path, columns=["item_id", "caption"]).set_index("item_id")["caption"]
    return _select(captions, source, arrivals, path)


def _shuffle_captions(arrivals: Arrivals) -> list[str]:
    captions = _read_captions(name_captions(arrivals.writer, CAPTIONS[1]), arrivals)
    rng = np.random.default_rng(arrivals.seed)
    return [captions[giver] for giver in deal_to_other_products(arrivals.items["group"].to_numpy(), rng)]


def _take_nearest(arrivals: Arrivals) -> list[str]:
    if arrivals.train.empty:
        raise UserError("source nearest: no item has split train; take `nearest` out of `sources` in params.yaml")
    pictures = read_features(arrivals.pictures)
    rows, train = (pictures.select(table["item_id"].tolist()) for table in (arrivals.items, arrivals.train))
    nearest = find_nearest(rows, train, 1)[:, 0]
    return arrivals.train["description"].to_numpy(object)[nearest].tolist()


def _select(words: pd.Series, source: str, arrivals: Arrivals, path: Path) -> list[str]:
    selected = arrivals.items["item_id"].map(words)
    missing = arrivals.items["item_id"][selected.isna()].tolist()
    if missing:
        raise UserError(
            f"{path}: source {source}: {len(missing)} of {len(selected)} arrivals have no words, first "
            f"{first_five(missing)}; write them (an empty text is a text), or take the source out of `sources` in "
            "params.yaml"
        )
    return selected.tolist()


FIND: dict[str, Callable[[Arrivals], list[str]]] = {
    "reference": lambda arrivals: arrivals.items["description"].tolist(),
    "second": _read_second,
    "none": lambda arrivals: [""] * len(arrivals.items),
    "table": _describe_rows,
    "nearest": _take_nearest,
    "shuffled": _shuffle_captions,
}
