"""Impute the words of arrivals by every method of a study; what is learned is learned from the train items."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.files import Rows, read_features
from pipeline.core.errors import UserError
from recsys.encoding.stored import StoredText
from recsys.imputation.pictures import average_nearest, regress
from recsys.imputation.settings import FROM_PICTURES, ZEROS, RecImpute, name_from_pictures

Imputed = tuple[str, np.ndarray, dict[str, float]]  # name, words (n_arrivals, dim), what was chosen


@dataclass(frozen=True)
class Task:
    """What is imputed, and from what.

    Attributes:
        stored: the features of the text `original`, by the extractor whose words are imputed.
        train: ids of the train items, whose words and pictures are read.
        arrivals: ids of the items whose words are imputed; of them the pictures alone are read.
        pictures: the folder of the image features.
        settings: section `rec_impute` of params.yaml.
    """

    stored: StoredText
    train: list[str]
    arrivals: list[str]
    pictures: Path
    settings: RecImpute


def impute(task: Task, imputations: Sequence[str], image_features: Sequence[str]) -> Iterator[Imputed]:
    """Impute the words of every arrival by every method, one after the other.

    Raises:
        UserError: there is no train item, or an item has no features.
    """
    if not task.train:
        raise UserError("rec_impute: no item has split train; set imputations: [] in params.yaml")
    words = task.stored.take_words(task.train)
    for imputation in imputations:
        if imputation in FROM_PICTURES:
            for features in image_features:
                stored = read_features(task.pictures / features)
                vectors, about = _METHODS[imputation](
                    task, stored.select(task.arrivals), stored.select(task.train), words
                )
                yield name_from_pictures(imputation, features), vectors, about
        else:
            row = np.zeros(words.shape[1]) if imputation == ZEROS else words.mean(axis=0, dtype=np.float64)
            yield imputation, np.tile(row, (len(task.arrivals), 1)), {"items": 0 if imputation == ZEROS else len(words)}


def _regress(task: Task, pictures: Rows, train: Rows, words: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    return regress(pictures, train, words, task.settings.ridge_values, task.settings.seed)


def _average_nearest(task: Task, pictures: Rows, train: Rows, words: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    k = task.settings.neighbours
    return average_nearest(pictures, train, words, k), {"items": len(words), "neighbours": min(k, len(words))}


_METHODS: dict[str, Callable[[Task, Rows, Rows, np.ndarray], tuple[np.ndarray, dict[str, float]]]] = {
    "ridge": _regress,
    "neighbours": _average_nearest,
}
