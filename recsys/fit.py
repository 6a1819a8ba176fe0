"""python -m recsys.fit --recommender R (--catalogue C | --text T) [--features F]: rank every user's best unseen items.

    python -m recsys.fit --recommender itemknn --catalogue all
    python -m recsys.fit --recommender vbpr --catalogue original --features resnet50
    python -m recsys.fit --recommender vbpr --text masked-ft --features sbert

With `--catalogue` the features are `data/features/image/F`, with `--text` they are `data/features/text/T/F` and the
catalogue is the text's. Writes `data/recommendations/<catalogue or text>/<recommender>[-<features>].parquet`:

- `candidates`: the catalogue among whose items the list was ranked. In the catalogue `all` every user who has train
  purchases in `original` has two lists: the best of all items (`all`), and, by the same scores, the best of the items
  that `original` has too (`original`), so that both catalogues can be compared on the same items. In the catalogue
  `original`, and with `evaluation: published` (`recsys.interactions`), there is one list;
- `run`: 0 … seeds − 1, 0 alone where the seed has no influence. Run r draws the same whatever the features are;
- `user`, `item`: indices of `data/interactions/`; `rank`: 1 … top_k; `score`.

The settings are the recommender's own sub-section of `rec_fit`, in which what `recsys.tune` chose overrules; one choice
holds for both catalogues and all texts. A cell also reads `top_k`, `seeds` and `seed` of `rec_fit`. A killed fit
continues: runs that are done are stored under `.checkpoints/`, and once a minute the state of what learns in epochs.
The result has the same bytes (CPU).
"""

import time
from pathlib import Path
from typing import Literal

from pipeline import checkpoints
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_tables
from pipeline.core.params import Section, read
from pipeline.core.progress import track
from pipeline.core.stage import print_summary, run
from pipeline.machine import MACHINE, Machine
from pipeline.names import ROOT, with_sections
from recsys.fitting.cells import Cell, find_cell_rows, load_recommender, parse_cell
from recsys.fitting.runs import derive_seed, fit_runs, read_blocks
from recsys.purchases.dataset import read_split, restrict
from recsys.ranking.settings import RecFit, Run
from recsys.tuning.choices import choice_path, choose, read_choice

INTERACTIONS = Path("data/interactions")
FEATURES = Path("data/features")
CHOICES = Path("metrics/tune")
FOLDER = Path("data/recommendations")
LIBRARIES = ("numpy", "scipy", "torch", "sparse-dot-topn")  # other versions may give other bits
CODE = (  # with the recommender's own file: what a result depends on
    "pipeline/core/outputs.py",
    "features/files.py",
    "catalogue/descriptions/variants.py",
    "recsys/fit.py",
    "recsys/fitting",
    "recsys/graphs",
    "recsys/pairwise",
    "recsys/purchases/dataset.py",
    "recsys/ranking",
    "recsys/recommenders/__init__.py",
    "recsys/recommenders/_neighbours.py",
    "recsys/recommenders/_standards.py",
    "recsys/scoring/arms.py",
    "recsys/scoring/metrics.py",
    "recsys/tuning/choices.py",
)


class Params(Section):
    """What the stage reads of params.yaml; `with_sections` adds the recommenders' own sub-sections."""

    device: Literal["cpu", "cuda"]
    machine: Machine
    rec_fit: RecFit


def main() -> None:
    """Fit one cell, and write its lists."""
    cell = parse_cell("recsys.fit", "Rank the best unseen items of every user.")
    recommender = load_recommender(cell)
    params = read(with_sections(Params, [cell.recommender]))
    split = read_split(INTERACTIONS, cell.catalogue)
    data = restrict(split, cell.catalogue)
    if not len(data.users):
        raise UserError(
            f"no user has a train purchase in the catalogue {cell.catalogue}; "
            "leave it out of `catalogues` in params.yaml"
        )
    features = find_cell_rows(cell, FEATURES, data.item_ids)
    settings = choose(getattr(params.rec_fit, cell.recommender), read_choice(choice_path(CHOICES, "warm", cell.name)))
    output = FOLDER / cell.arm / f"{cell.name}.parquet"
    started = time.perf_counter()
    with checkpoints.checkpoint_folder(checkpoint_folder(cell, params)) as work:
        runs = [make_run(params, number, work) for number in range(params.rec_fit.seeds if recommender.SEEDED else 1)]
        bar = track(runs, f"fit {cell.name}", unit="run")
        files = fit_runs(recommender, settings, bar, data, split, features, work)
        write_tables(output, read_blocks(files))
    seconds = time.perf_counter() - started
    print_summary(
        f"wrote {output}: {len(data.users):,} users, {len(data.items):,} items, {len(files)} run(s), {seconds:.1f} s",
        params.machine.threads,
    )


def checkpoint_folder(cell: Cell, params: Params) -> Path:
    """Return the folder for the runs that are done, and for the state of the one that is not."""
    folder = cell.features_folder(FEATURES)
    code = [ROOT / name for name in (*CODE, f"recsys/recommenders/{cell.recommender}.py")]
    choice = choice_path(CHOICES, "warm", cell.name)
    inputs = [INTERACTIONS, choice, *([folder] if folder else []), *code]
    name = "-".join(["rec_fit", cell.arm, cell.name])
    return checkpoints.key_folder(name, params.model_dump(exclude={MACHINE}), inputs, LIBRARIES)


def make_run(params: Params, number: int, work: Path) -> Run:
    """Return run `number`, with a seed and a folder of checkpoints of its own."""
    seed = derive_seed(params.rec_fit.seed, number)
    machine, folder = params.machine, work / f"run-{number}"
    return Run(seed, params.rec_fit.top_k, params.device, machine.threads, folder, where=machine.where())


if __name__ == "__main__":
    run(main)
