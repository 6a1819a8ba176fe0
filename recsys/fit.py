"""python -m recsys.fit --recommender R (--catalogue C | --text T) [--features F]: the best unseen items of every user.

    python -m recsys.fit --recommender itemknn --catalogue all
    python -m recsys.fit --recommender vbpr --catalogue original --features resnet50
    python -m recsys.fit --recommender vbpr --text masked-ft --features sbert

With `--catalogue` the features are `data/features/image/F`, with `--text` they are `data/features/text/T/F` and the
catalogue is the text's. Writes `data/recommendations/<catalogue or text>/<recommender>[-<features>].parquet`:

- `candidates`: the catalogue among whose items the list was ranked. In the catalogue `all` every user who has train
  purchases in `original` has two lists: the best of all items (`all`), and, by the same scores, the best of the items
  that `original` has too (`original`), so that both catalogues can be compared on the same items. In the catalogue
  `original`, and with `evaluation: published` (`recsys.interactions`), there is one list;
- `run`: 0 … seeds − 1, 0 alone where the seed has no influence. Run r uses the same draws whatever the features are;
- `user`, `item`: indices of `data/interactions/`; `rank`: 1 … top_k; `score`.

A fit that was killed goes on where it was: runs that are done are kept under `.checkpoints/`, and of what learns in epochs
the state, once a minute. The result has the same bytes.
"""

import argparse
import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from features.files import Rows, read_features
from pipeline import checkpoints
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_tables
from pipeline.core.params import Section, read
from pipeline.core.progress import track
from pipeline.core.stage import print_summary, run
from pipeline.names import ROOT, check_name
from recsys.purchases.dataset import COMMON, Catalogue, Dataset, Split, read_split, restrict
from recsys.ranking.options import Options, RecFit
from recsys.ranking.recommend import Lists, recommend
from recsys.scoring.arms import build_name, catalogue_of

INTERACTIONS = Path("data/interactions")
FOLDER = Path("data/recommendations")
BLOCK_USERS = 100_000  # whose lists are written at once
LIBRARIES = ("numpy", "scipy", "torch", "sparse-dot-topn")  # other versions may give other bits


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
        return FOLDER / self.arm / f"{build_name(self.recommender, self.features)}.parquet"


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


def load(cell: Cell) -> ModuleType:
    """The recommender's module.

    Raises:
        UserError: there is no such recommender, or features are missing or given in vain.
    """
    check_name("recommender", cell.recommender, "recsys/recommenders")
    module = importlib.import_module(f"recsys.recommenders.{cell.recommender}")
    if module.NEEDS_FEATURES and cell.features is None:
        raise UserError(
            f"{cell.recommender} needs --features, the name of a folder of data/features/image or data/features/text/TEXT; "
            "`recommenders` in params.yaml are those that need none"
        )
    if not module.NEEDS_FEATURES and cell.features is not None:
        raise UserError(f"{cell.recommender} uses no features: leave out --features {cell.features}")
    return module


def feature_rows(folder: Path | None, item_ids: list[str]) -> Rows | None:
    """The features of these items, found by id: (n_items, dim), not read yet.

    Raises:
        UserError: the folder is missing, or an item has no row.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such features; extract them with `dvc repro`, or name another folder of {folder.parent}"
        )
    return read_features(folder).select(item_ids)


def place_of(cell: Cell, params: Params) -> Path:
    """Where this cell keeps the runs that are done and the state of the one that is not."""
    inputs = [
        INTERACTIONS,
        *([cell.features_folder] if cell.features_folder else []),
        ROOT / "recsys",
        ROOT / "features",
        ROOT / "pipeline",
    ]
    name = "-".join(["rec_fit", cell.arm, cell.output.stem])
    return checkpoints.key_folder(name, params.model_dump(), inputs, LIBRARIES)


def run_seed(seed: int, number: int) -> int:
    """The seed of run `number`."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def pools(data: Dataset) -> dict[str, np.ndarray]:
    """Candidates to rank among: those of the catalogue and, where catalogues are compared, those that every one has."""
    own = {str(data.catalogue): np.ones(len(data.items), dtype=bool)}
    return own if data.catalogue == COMMON or data.published else own | {COMMON: data.common}


def tables(
    found: Mapping[str, Lists], data: Dataset, number: int, listed: Mapping[str, np.ndarray]
) -> Iterator[pa.Table]:
    """The lists of run `number` as rows, by pool, user and rank, some users at a time; `listed` (n_users,) bool: whose."""
    names = list(found)
    for candidates, (items, scores) in found.items():
        for start in range(0, len(items), BLOCK_USERS):
            block = slice(start, start + BLOCK_USERS)
            user, place = np.nonzero((items[block] >= 0) & listed[candidates][block, None])
            pool = np.full(len(user), names.index(candidates), dtype=np.int8)
            columns = {
                "candidates": pa.DictionaryArray.from_arrays(pool, names),
                "run": np.full(len(user), number, dtype=np.int32),
                "user": data.users[block][user],
                "item": data.items[items[block][user, place]],
                "rank": (place + 1).astype(np.int32),
                "score": scores[block][user, place],
            }
            yield pa.table(columns)


def fit(
    module: ModuleType, data: Dataset, split: Split, params: Params, features: Rows | None, place: Path
) -> list[Path]:
    """A file in `place` for each run, with its lists for every pool of candidates; what is there already is not run again."""
    options = Options(**params.rec_fit.model_dump(), device=params.device, threads=params.threads)
    numbers = range(options.seeds if module.SEEDED else 1)
    listed = {
        str(data.catalogue): np.ones(len(data.users), bool),
        str(COMMON): np.isin(data.users, restrict(split, COMMON).users),
    }
    files = [place / f"run-{number}.parquet" for number in numbers]
    for number in track(numbers, f"fit {module.__name__.rpartition('.')[2]}", unit="run"):
        if files[number].is_file():
            continue
        at = options.model_copy(update={"checkpoints": place / f"run-{number}"})
        scorer = module.fit(data, at, run_seed(params.seed, number), features)
        found = recommend(scorer, data.train, options.top_k, pools(data), options.threads)
        write_tables(files[number], tables(found, data, number, listed))
    return files


def joined(files: Sequence[Path]) -> Iterator[pa.Table]:
    for path in files:
        with pq.ParquetFile(path) as file:
            yield from (file.read_row_group(group) for group in range(file.num_row_groups))


def main() -> None:
    cell = parse()
    params = read(Params)
    module = load(cell)
    split = read_split(catalogue=cell.catalogue)
    data = restrict(split, cell.catalogue)
    if not len(data.users):
        raise UserError(
            f"no user has a train purchase in the catalogue {cell.catalogue}; leave it out of `catalogues` in params.yaml"
        )
    features = feature_rows(cell.features_folder, data.item_ids)
    started = time.perf_counter()
    with checkpoints.checkpoint_folder(place_of(cell, params)) as place:
        files = fit(module, data, split, params, features, place)
        write_tables(cell.output, joined(files))
    seconds = time.perf_counter() - started
    print_summary(
        f"wrote {cell.output}: {len(data.users):,} users, {len(data.items):,} items, {len(files)} run(s), {seconds:.1f} s"
    )


if __name__ == "__main__":
    run(main)
