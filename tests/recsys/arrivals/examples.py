"""A split with arrivals, models of two runs, and sources of features, small enough for plain loops."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.files import Features
from recsys.arrivals.models import run_file, validation_file, write_model
from recsys.arrivals.sources import Source
from recsys.purchases.arrivals import Arrivals, hold_out_test, hold_out_validation
from recsys.purchases.dataset import Dataset, Split
from recsys.ranking.scorers import Factors
from recsys.recommenders import vbpr

N_USERS, N_ITEMS, DIM, HIDDEN, SEEN = 30, 60, 5, 2, 3
SPLITS = ("train", "train", "validation", "test")


@dataclass(frozen=True)
class Example:
    """What a ranking needs: models are in `folder`."""

    split: Split
    items: pd.DataFrame
    arrivals: Arrivals
    validation: Arrivals
    sources: list[Source]
    folder: Path


def draw_example(folder: Path, seed: int = 0) -> Example:
    """Draw everything, in small whole numbers: there are many ties, and products are exact."""
    random = np.random.default_rng(seed)
    ids = np.array([f"i{number:02}" for number in range(N_ITEMS)], dtype=object)
    names = [SPLITS[number % 4] for number in range(N_ITEMS)]
    items = pd.DataFrame({"item_id": ids, "split": names, "group": np.arange(N_ITEMS) // 8})
    original = np.arange(N_ITEMS) % 10 < 8
    train, test = (np.argwhere(random.random((N_USERS, N_ITEMS)) < share).astype(np.int32) for share in (0.15, 0.1))
    split = Split(N_USERS, ids, original, train, test)
    arrivals, validation = hold_out_test(split, items), hold_out_validation(split, items)
    for number in (0, 1):
        write_model(run_file(folder, number), draw_factors(arrivals.data, random), arrivals.data)
    write_model(validation_file(folder), draw_factors(validation.data, random), validation.data)
    every = arrivals.item_ids + validation.item_ids
    values = {name: random.integers(-2, 3, (len(every), DIM)).astype(np.float32) for name in ("reference", "other")}
    sources = [
        Source("none", Features(tuple(every), np.ones((len(every), DIM), np.float32))),
        Source("other", Features(tuple(arrivals.item_ids), values["other"][: len(arrivals.item_ids)])),
        Source("reference", Features(tuple(every), values["reference"])),
    ]
    return Example(split, items, arrivals, validation, sources, folder)


def draw_factors(data: Dataset, random: np.random.Generator) -> Factors:
    """Draw a model of VBPR's paper for some data."""
    width = HIDDEN + SEEN
    user, item = (random.integers(-2, 3, (n, width)).astype(np.float32) for n in data.train.shape)
    weights = np.zeros((DIM, width + 1), dtype=np.float32)
    weights[:, HIDDEN:] = random.integers(-1, 2, (DIM, SEEN + 1))
    learned = {"centre": np.zeros(DIM, np.float32), "scale": np.ones(DIM, np.float32), "weights": weights}
    return Factors(user, item, random.integers(-1, 2, len(item)).astype(np.float32), learned)


def read_scores(example: Example, number: int, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Return every user's scores of the items of the fit and of the arrivals: (n_users, n_items) each."""
    from safetensors.numpy import load_file

    stored = load_file(run_file(example.folder, number))
    features = next(own.features for own in example.sources if own.name == source).select(example.arrivals.item_ids)
    learned = {name.removeprefix("learned."): array for name, array in stored.items() if name.startswith("learned.")}
    vectors, bias = vbpr.project(learned, features)
    return stored["user"] @ stored["item"].T + stored["bias"], stored["user"] @ vectors.T + bias
