"""Recommenders, one file each, loaded by name. A file holds

- `fit(data, options, seed, features=None) -> Scorer`: data is a `recsys.dataset.Dataset`, whose `train` is (n_users, n_items)
  binary float32 CSR with sorted indices; features a `pipeline.features.Rows` of (n_items, dim), or None;
- `SEEDED`: whether the result depends on the seed, so that `seeds` runs are made;
- `NEEDS_FEATURES`: whether `features` must be given.

A scorer that is a `Product`, `Shared` or `Drawn` is ranked without a score for every user and item (`recsys.ranking`); any
other gives dense blocks of scores.

A recommender that needs no features is added by one file here and its name under `recommenders` in params.yaml. One that needs
features is run with `python -m recsys.fit --recommender NAME --features F` and, on anyone's purchases, with
`lookbook recommend --model NAME --features FOLDER`. In the line it has cells like `rec_fit_image` and `rec_fit_text` of dvc.yaml,
beside these and with its name for `vbpr`: they make its lists. What scores, compares and shows lists of features knows `vbpr-F`
alone (`arms` in `recsys.score`, `lookbook.compare`, `lookbook.tables.recommendations`): its name is added there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from pipeline.params import Section

Count = Annotated[int, Field(gt=0)]


class RecFit(Section):
    """Section `rec_fit` of params.yaml."""

    top_k: Count
    seeds: Count
    userknn_k: Count
    itemknn_k: Count
    neighbourhood: Literal["elliot", "standard"]
    similarity: Literal["cosine", "jaccard"]
    shrink: Annotated[float, Field(ge=0)]
    half_life_days: Annotated[float, Field(ge=0)]
    factors: Count
    variant: Literal["paper", "ducho"]
    epochs: Count
    patience: Annotated[int, Field(ge=0)]
    evaluate_every: Count
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0)]
    regularisation: Annotated[float, Field(ge=0)]


class Options(RecFit):
    """What a recommender may be told: its section, and where it runs."""

    device: str = "cpu"
    threads: Count = 1
    checkpoints: Path | None = None  # where what learns in epochs keeps its state; None: nowhere


class Scorer(Protocol):
    """A fitted recommender."""

    def scores(self, users: np.ndarray) -> np.ndarray | sp.csr_matrix:
        """Scores of every item for these rows of train: (len(users), n_items) float32; what a sparse matrix lacks is 0."""
        ...


@dataclass(frozen=True)
class Product:
    """Scores that are a product of two sparse matrices without negative entries."""

    left: sp.csr_matrix  # (n_users, n_between) float32
    right: sp.csr_matrix  # (n_between, n_items) float32

    def scores(self, users: np.ndarray) -> sp.csr_matrix:
        return self.left[users] @ self.right


@dataclass(frozen=True)
class Shared:
    """The same scores for every user."""

    item: np.ndarray  # (n_items,) float32

    def scores(self, users: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self.item, (len(users), len(self.item)))


@dataclass(frozen=True)
class Drawn:
    """A random order of the items for each user, of whom it alone depends; only its beginning is drawn."""

    seed: int

    def first(self, user: int, size: int, n_items: int) -> np.ndarray:
        """The first `size` of n_items: (size,) different numbers."""
        return np.random.default_rng((self.seed, user)).choice(n_items, size, replace=False)
