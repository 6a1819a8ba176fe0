"""python -m recsys.fit --recommender R (--catalogue C | --text T) [--features F]: the best unseen items of every user.

    python -m recsys.fit --recommender itemknn --catalogue all
    python -m recsys.fit --recommender vbpr --catalogue original --features resnet50
    python -m recsys.fit --recommender vbpr --text masked-ft --features sbert

With `--catalogue` the features are `data/features/image/F`, with `--text` they are `data/features/text/T/F` and the
catalogue is the text's. Writes `data/recommendations/<catalogue or text>/<recommender>[-<features>].parquet`:

- `candidates`: the catalogue among whose items the list was ranked. In the catalogue `all` every user who has train
  purchases in `original` has two lists: the best of all items (`all`), and, by the same scores, the best of the items
  that `original` has too (`original`), so that both catalogues can be compared on the same items. In the catalogue
  `original` there is one list;
- `run`: 0 … seeds − 1, 0 alone where the seed has no influence. Run r uses the same draws whatever the features are;
- `user`, `item`: indices of `data/interactions/`; `rank`: 1 … top_k; `score`.
"""

import argparse
import importlib
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal, cast

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.errors import UserError
from pipeline.features import read_features
from pipeline.names import check_name, unknown_name
from pipeline.outputs import write_parquet
from pipeline.params import Section, read
from pipeline.progress import track
from pipeline.stage import done, run
from recsys.dataset import COMMON, Catalogue, Catalogued, Split, read_split, restrict
from recsys.ranking import Lists, recommend
from recsys.recommenders import Options, RecFit

FOLDER = Path("data/recommendations")


class Params(Section):
    seed: Annotated[int, Field(ge=0)]
    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Field(gt=0)]
    rec_fit: RecFit


@dataclass(frozen=True)
class Cell:
    """What one run of this stage fits."""

    recommender: str
    arm: str  # the catalogue or the text
    catalogue: Catalogue
    features: str | None
    features_folder: Path | None

    @property
    def output(self) -> Path:
        name = self.recommender if self.features is None else f"{self.recommender}-{self.features}"
        return FOLDER / self.arm / f"{name}.parquet"


def parse(arguments: list[str] | None = None) -> Cell:
    """The cell that the command line names.

    Raises:
        UserError: there is no such text.
    """
    parser = argparse.ArgumentParser(prog="python -m recsys.fit", description="The best unseen items of every user.")
    parser.add_argument("--recommender", required=True)
    parser.add_argument("--features", help="a folder of data/features/image, or of data/features/text/TEXT")
    arm = parser.add_mutually_exclusive_group(required=True)
    arm.add_argument("--catalogue", choices=["original", "all"])
    arm.add_argument("--text")
    given = parser.parse_args(arguments)
    if given.text is None:
        folder = given.features and Path("data/features/image", given.features)
        return Cell(given.recommender, given.catalogue, given.catalogue, given.features, folder)
    folder = given.features and Path("data/features/text", given.text, given.features)
    return Cell(given.recommender, given.text, catalogue_of(given.text), given.features, folder)


def catalogue_of(text: str) -> Catalogue:
    from catalogue.texts import CATALOGUE_OF

    problem = unknown_name("text", text, CATALOGUE_OF)
    if problem:
        raise UserError(f"--text: {problem}")
    return cast(Catalogue, CATALOGUE_OF[text])


def load(cell: Cell) -> ModuleType:
    """The recommender's module.

    Raises:
        UserError: there is no such recommender, or features are missing or given in vain.
    """
    check_name("recommender", cell.recommender, "recsys/recommenders")
    module = importlib.import_module(f"recsys.recommenders.{cell.recommender}")
    if module.NEEDS_FEATURES and cell.features is None:
        raise UserError(
            f"{cell.recommender} needs --features, the name of a folder of data/features/image or data/features/text/TEXT"
        )
    if not module.NEEDS_FEATURES and cell.features is not None:
        raise UserError(f"{cell.recommender} uses no features: leave out --features {cell.features}")
    return module


def feature_rows(folder: Path | None, item_ids: list[str]) -> np.ndarray | None:
    """The features of these items, found by id: (n_items, dim) float32.

    Raises:
        UserError: the folder is missing, an item has no row, or a value is not finite.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such features; extract them with `dvc repro`, or name another folder of {folder.parent}"
        )
    rows = read_features(folder).rows(item_ids)
    broken = ~np.isfinite(rows).all(1)
    if broken.any():
        raise UserError(
            f"{folder}: {broken.sum()} items have features that are not finite, first {item_ids[int(broken.argmax())]}"
        )
    return rows


def run_seed(seed: int, number: int) -> int:
    """The seed of run `number`."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def pools(data: Catalogued) -> dict[str, np.ndarray]:
    """Candidates to rank among: those of the catalogue, and those that every catalogue has."""
    own = {str(data.catalogue): np.ones(len(data.items), dtype=bool)}
    return own if data.catalogue == COMMON else own | {COMMON: data.common}


def table(lists: Lists, data: Catalogued, candidates: str, number: int, listed: np.ndarray) -> pd.DataFrame:
    """The lists of the users in `listed` (n_users,) bool as rows, by user and rank."""
    items, scores = lists
    user, place = np.nonzero((items >= 0) & listed[:, None])
    columns = {
        "candidates": np.full(len(user), candidates),
        "run": np.int32(number),
        "user": data.users[user],
        "item": data.items[items[user, place]],
        "rank": (place + 1).astype(np.int32),
        "score": scores[user, place],
    }
    return pd.DataFrame(columns)


def fit(
    module: ModuleType, data: Catalogued, split: Split, params: Params, features: np.ndarray | None
) -> pd.DataFrame:
    """The lists of every run and pool of candidates."""
    options = Options(**params.rec_fit.model_dump(), device=params.device, threads=params.threads)
    numbers = range(options.seeds if module.SEEDED else 1)
    common_users = np.isin(data.users, restrict(split, COMMON).users)
    tables = []
    for number in track(numbers, f"fit {module.__name__.rpartition('.')[2]}", unit="run"):
        scorer = module.fit(data.train, options, run_seed(params.seed, number), features)
        for candidates, lists in recommend(scorer, data.train, options.top_k, pools(data)).items():
            listed = np.ones(len(data.users), bool) if candidates == data.catalogue else common_users
            tables.append(table(lists, data, candidates, number, listed))
    rows = pd.concat(tables, ignore_index=True)
    return rows.astype({"candidates": "category"})


def main() -> None:
    cell = parse()
    params = read(Params)
    module = load(cell)
    split = read_split()
    data = restrict(split, cell.catalogue)
    if not len(data.users):
        raise UserError(
            f"no user has a train purchase in the catalogue {cell.catalogue}; leave it out of `catalogues` in params.yaml"
        )
    features = feature_rows(cell.features_folder, data.item_ids)
    started = time.perf_counter()
    rows = fit(module, data, split, params, features)
    seconds = time.perf_counter() - started
    write_parquet(cell.output, rows)
    done(
        f"wrote {cell.output}: {len(data.users):,} users, {len(data.items):,} items, {rows['run'].nunique()} run(s), {seconds:.1f} s"
    )


if __name__ == "__main__":
    run(main)
