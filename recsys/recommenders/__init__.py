"""Recommenders: one file each, loaded by name.

A file has five names (`Recommender`):

- `Settings`: the keys of its sub-section of `rec_fit` in params.yaml, a `Section`; a recommender without keys has an
  empty class, and `{}` in params.yaml;
- `SEEDED`: whether its lists depend on the seed, so that `seeds` runs are made;
- `NEEDS_FEATURES`: whether it needs the features of items;
- `RANKS_COLD`: whether it can rank an item that was not in its fit, by the item's features alone;
- `fit`: learns from a data set, and returns what scores items.

One that ranks cold items (`ColdRecommender`) returns `Factors` with all that it has learned, and has a function
`project`: features of items that were not in the fit, to their factors.

`lookbook check` and every run import the file before they have read params.yaml: what is slow to import (torch) is
imported inside functions. A file whose name begins with `_` is shared by recommenders, and is none itself.

A scorer that is a `SparseProduct`, `SameForAll` or `RandomOrder` is ranked without a score for every user and item
(`recsys.ranking.recommend`); any other returns dense blocks of scores.

A recommender that needs no features is added by one file here, its name under `recommenders` in params.yaml and its
sub-section of `rec_fit`. The name of one that needs features stands under `content_recommenders` instead: it is fitted
on every feature set. On the purchases of a file it is run with `lookbook recommend --model NAME --features FOLDER`.
"""

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from features.files import Rows
from pipeline.core.errors import UserError
from pipeline.core.params import Section
from pipeline.names import allowed_names, check_name
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors, ItemFactors, RandomOrder, Scorer
from recsys.ranking.settings import Run

OwnSettings = TypeVar("OwnSettings", bound=Section)


class Recommender(Protocol[OwnSettings]):
    """A file of this folder."""

    SEEDED: bool
    NEEDS_FEATURES: bool
    RANKS_COLD: bool

    @property
    def Settings(self) -> type[OwnSettings]:  # noqa: N802  # a class of the file
        """The keys of its sub-section of `rec_fit`."""
        ...

    def fit(self, data: Dataset, settings: OwnSettings, run: Run, features: Rows | None = None) -> Scorer | RandomOrder:
        """Learn from the purchases.

        Args:
            data: `data.train` is (n_users, n_items), binary, float32, CSR with sorted indices.
            settings: the recommender's own sub-section of `rec_fit`.
            run: seed, list length, device, threads and folder of checkpoints.
            features: (n_items, dim) in the order of `data.item_ids`; None where the recommender needs none.
        """
        ...


class ColdRecommender(Recommender[OwnSettings], Protocol[OwnSettings]):
    """A file of this folder that ranks cold items: `RANKS_COLD` is True."""

    def fit(self, data: Dataset, settings: OwnSettings, run: Run, features: Rows | None = None) -> Factors:
        """Learn from the purchases, as `Recommender.fit`."""
        ...

    def project(self, learned: Mapping[str, np.ndarray], features: Rows) -> ItemFactors:
        """Return the factors of items that were not in the fit, to be scored as the items of the fit are.

        Args:
            learned: `Factors.learned` of the fit.
            features: (n_items, dim), of the same dimensions as in the fit.
        """
        ...


def load(name: str) -> Recommender[Any]:
    """Import a recommender by its name.

    Raises:
        UserError: there is no such recommender.
    """
    check_name("recommender", name, "recsys/recommenders")
    return cast(Recommender[Any], importlib.import_module(f"recsys.recommenders.{name}"))


def load_cold(name: str) -> ColdRecommender[Any]:
    """Import a recommender that ranks cold items, by its name.

    Raises:
        UserError: there is no such recommender, or it ranks no cold items.
    """
    recommender = load(name)
    if not recommender.RANKS_COLD:
        cold = [other for other in allowed_names("recsys/recommenders") if load(other).RANKS_COLD]
        raise UserError(f"{name} cannot rank an item that nobody has bought; those that can: {', '.join(cold)}")
    return cast(ColdRecommender[Any], recommender)
