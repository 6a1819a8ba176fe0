"""Recommenders, one file each, loaded by name. A file holds

- `fit(train, options, seed, features=None) -> Scorer`: train is (n_users, n_items) binary float32 CSR with sorted indices,
  features (n_items, dim) float32 or None;
- `SEEDED`: whether the result depends on the seed, so that `seeds` runs are made;
- `NEEDS_FEATURES`: whether `features` must be given.

Adding a recommender is one file here and its name under `recommenders` in params.yaml.
"""

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
    factors: Count
    epochs: Count
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0)]
    regularisation: Annotated[float, Field(ge=0)]


class Options(RecFit):
    """What a recommender may be told: its section, and where it runs."""

    device: str = "cpu"
    threads: Count = 1


class Scorer(Protocol):
    """A fitted recommender."""

    def scores(self, users: np.ndarray) -> np.ndarray | sp.csr_matrix:
        """Scores of every item for these rows of train: (len(users), n_items) float32; what a sparse matrix lacks is 0."""
        ...
