"""python benchmarks/warm_nulls.py [--trials 100] [--runs 3] [--features sbert]: intervals of a warm arm without effect.

Reads the study in the working directory. In a trial the fine-tuned and the pre-trained caption of the test garments
are dealt to two texts by a coin a product, VBPR learns both anew in every run, and the texts are compared where the
test garments count as purchases, as `compare` does. Prints how often the interval leaves out zero, where only chance
differs.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from catalogue.prepared.items import read_items
from features.files import all_rows, read_features
from lookbook.comparison.clusters import Differences, estimate_difference
from lookbook.comparison.contributions import Hits, compare_hits
from pipeline.core.memory import keep_freed_memory
from pipeline.core.params import PARAMS, load
from recsys.fitting.runs import derive_seed
from recsys.purchases.dataset import COMMON, Dataset, read_split, restrict
from recsys.ranking.recommend import recommend
from recsys.ranking.settings import Run
from recsys.recommenders import vbpr
from recsys.scoring.contributions import find_hits

CUTOFF = 12


class Study:
    """The purchases, and the features of both captions."""

    def __init__(self, features: str) -> None:
        """Read the study in the working directory."""
        split = read_split()
        self.data: Dataset = restrict(split, COMMON)
        items = read_items(Path("data/prepared/items.parquet"), ["item_id", "split", "group"]).set_index("item_id")
        items = items.loc[self.data.item_ids]
        self.product = np.unique(items["group"], return_inverse=True)[1]
        self.masked = items["split"].eq("test").to_numpy()
        self.texts = [
            read_features(f"data/features/text/masked-{variant}/{features}").take(self.data.item_ids)
            for variant in ("ft", "pt")
        ]
        bought = split.matrix(split.test, split.members(COMMON))[self.data.users][:, self.data.items]
        relevant = bought.multiply(self.masked[None, :]).tocsr()
        self.users = np.flatnonzero(np.diff(relevant.indptr))
        self.relevant = relevant[self.users]
        self.settings = vbpr.Settings(**load(PARAMS)["rec_fit"]["vbpr"])

    def find_hits(self, second: np.ndarray, runs: range, seed: int) -> Hits:
        """Learn with text 0 or, where `second`, text 1 of each item; return the hits of all runs."""
        rows = all_rows(np.where(second[:, None], self.texts[1], self.texts[0]))
        parts = []
        for run in runs:
            scorer = vbpr.fit(self.data, self.settings, Run(derive_seed(seed, run), CUTOFF), rows)
            pools = {"all": np.ones(len(self.data.items), dtype=bool)}
            lists = recommend(scorer, self.data.train, CUTOFF, pools)["all"][0][self.users]
            hits = find_hits(lists, self.relevant, CUTOFF)
            parts.append((np.full(len(hits.row), run), *hits))
        return Hits(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def compare(self, number: int, n_runs: int) -> Differences:
        """Deal the captions by a coin a product, and compare both texts."""
        coins = np.random.default_rng(number).random(self.product.max() + 1) < 0.5
        second = coins[self.product]
        runs = range(n_runs)
        a, b = (self.find_hits(side, runs, number) for side in (second, ~second))
        n_products = len(np.unique(self.product[self.relevant.indices]))
        pairs = [(run, run) for run in runs]
        return compare_hits(a, b, pairs, self.product, len(self.users), n_products)[0]


def main() -> None:
    """Run the trials."""
    parser = argparse.ArgumentParser(description="Intervals of a warm arm where only chance differs.")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--features", default="sbert")
    given = parser.parse_args()
    keep_freed_memory()
    study, excluded = Study(given.features), 0
    for number in range(given.trials):
        estimate = estimate_difference(study.compare(number, given.runs))
        excluded += estimate.low > 0 or estimate.high < 0
        print(
            f"{number + 1}: {estimate.difference:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}], "
            f"p {estimate.p:.3f}; {excluded} intervals leave out zero",
            flush=True,
        )


if __name__ == "__main__":
    main()
