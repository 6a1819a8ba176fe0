"""Recommenders: one file each, loaded by name.

A file has four names (`Recommender`):

- `Settings`: the keys of its sub-section of `rec_fit` in params.yaml, a `Section`; a recommender without keys has an
  empty class, and `{}` in params.yaml;
- `SEEDED`: whether its lists depend on the seed, so that `seeds` runs are made;
- `NEEDS_FEATURES`: whether it needs the features of items;
- `fit`: learns from a data set, and returns what scores items.

`lookbook check` and every run import the file before they have read params.yaml: what is slow to import (torch) is
imported inside functions. A file whose name begins with `_` is shared by recommenders, and is none itself.

A scorer that is a `SparseProduct`, `SameForAll` or `RandomOrder` is ranked without a score for every user and item
(`recsys.ranking.recommend`); any other returns dense blocks of scores.

A recommender that needs no features is added by one file here, its name under `recommenders` in params.yaml and its
sub-section of `rec_fit`. The name of one that needs features stands under `content_recommenders` instead: it is fitted
on every feature set. On the purchases of a file it is run with `lookbook recommend --model NAME --features FOLDER`.
"""

import importlib
from typing import Any, Protocol, TypeVar, cast

from features.files import Rows
from pipeline.core.params import Section
from pipeline.names import check_name
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import RandomOrder, Scorer
from recsys.ranking.settings import Run

OwnSettings = TypeVar("OwnSettings", bound=Section)


class Recommender(Protocol[OwnSettings]):
    """A file of this folder."""

    SEEDED: bool
    NEEDS_FEATURES: bool

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


def load(name: str) -> Recommender[Any]:
    """Import a recommender by its name.

    Raises:
        UserError: there is no such recommender.
    """
    check_name("recommender", name, "recsys/recommenders")
    return cast(Recommender[Any], importlib.import_module(f"recsys.recommenders.{name}"))
