"""python -m recsys.tune --experiment E --recommender R (--catalogue C | --text T) [--features F]: choose settings.

    python -m recsys.tune --experiment warm --recommender itemknn --catalogue original
    python -m recsys.tune --experiment warm --recommender vbpr --text original --features sbert
    python -m recsys.tune --experiment arrivals --recommender vbpr --catalogue original --features resnet50

Every combination of the values in `rec_tune.<recommender>` is fitted and measured, with the same budget for all: at
most `rec_tune.epochs`, and no further after `rec_tune.patience` measurements without a better one. Nothing that is
scored later is looked at:

- `warm`: learned from train of the catalogue without the validation cut, measured by the NDCG of the cut;
- `arrivals`: learned from train without the arrivals and without the validation arrivals, measured by the NDCG of the
  validation arrivals among themselves, with their own descriptions (`recsys.purchases.arrivals`).

The choice for a feature set holds for all texts and sources of words. Writes `metrics/tune/<E>/<R>[-<F>].json`:
`choice`, the settings of the best trial, with the number of epochs, which overrule `rec_fit` in the fits; `trials`, a
mapping of number to values, epochs and NDCG; `counts`. A killed search continues after its last finished trial.
"""

import argparse
import time
from pathlib import Path
from typing import Literal

from catalogue.prepared.items import read_items
from pipeline import checkpoints
from pipeline.core.outputs import write_json
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import MACHINE, Machine
from pipeline.names import ROOT, with_sections
from recsys.fitting.cells import Cell, add_cell_options, load_recommender, read_cell
from recsys.fitting.runs import derive_seed
from recsys.purchases.dataset import COMMON, read_split
from recsys.ranking.settings import FirstRun, Run
from recsys.recommenders import load_cold
from recsys.tuning.choices import choice_path
from recsys.tuning.search import choose_best, describe_best, is_needed, try_cells
from recsys.tuning.settings import RecTune, list_cells
from recsys.tuning.tasks import Task, hold_out_arrivals, hold_out_cut

ITEMS = Path("data/prepared/items.parquet")
INTERACTIONS = Path("data/interactions")
FEATURES = Path("data/features")
FOLDER = Path("metrics/tune")
LIBRARIES = ("numpy", "scipy", "torch", "sparse-dot-topn")  # other versions may give other bits
CODE = (  # with the recommender's own file: what a result depends on
    *("features/files.py", "catalogue/descriptions/variants.py", "catalogue/prepared/items.py", "recsys/tune.py"),
    *("recsys/arrivals/ranks.py", "recsys/fitting", "recsys/graphs", "recsys/pairwise", "recsys/purchases"),
    *(f"recsys/recommenders/{name}.py" for name in ("__init__", "_neighbours", "_standards")),
    *("recsys/ranking", "recsys/scoring/arms.py", "recsys/scoring/metrics.py", "recsys/tuning"),
)
ARRIVALS, WARM = "arrivals", "warm"


class Params(Section):
    """What the stage reads of params.yaml; `with_sections` adds the recommenders' own sub-sections and grids."""

    device: Literal["cpu", "cuda"]
    machine: Machine
    rec_fit: FirstRun
    rec_tune: RecTune


def main() -> None:
    """Try every cell of the grid, and write the choice."""
    experiment, cell = parse_arguments()
    recommender = load_recommender(cell)
    params = read(with_sections(Params, [cell.recommender]))
    settings, grid = (getattr(section, cell.recommender) for section in (params.rec_fit, params.rec_tune))
    cells, k, output = list_cells(grid), params.rec_fit.top_k, choice_path(FOLDER, experiment, cell.name)
    if not is_needed(cells, settings, params.rec_tune):
        write_json(output, {"choice": cells[0], "trials": {}, "counts": {}})
        print_summary(f"wrote {output}: nothing to choose")
        return
    started = time.perf_counter()
    with checkpoints.checkpoint_folder(checkpoint_folder(experiment, cell, params)) as work:
        where = params.machine.where()
        own = Run(derive_seed(params.rec_fit.seed, 0), k, params.device, where.threads, where=where)
        task = make_task(experiment, cell, own)
        trials = try_cells(recommender, settings, cells, params.rec_tune, task, own, work)
    choice = choose_best(trials, k)
    numbered = {str(number): trial for number, trial in enumerate(trials, start=1)}  # DVC would draw a list
    write_json(output, {"choice": choice, "trials": numbered, "counts": task.counts})
    print_summary(
        f"wrote {output}: {describe_best(trials, k)} of {task.counts['users']:,} users; {len(trials)} trials, "
        f"{time.perf_counter() - started:.1f} s",
        params.machine.threads,
    )


def parse_arguments() -> tuple[str, Cell]:
    """Read the experiment and the cell from the command line."""
    parser = argparse.ArgumentParser(prog="python -m recsys.tune", description="Choose a recommender's settings.")
    parser.add_argument("--experiment", required=True, choices=[ARRIVALS, WARM], help="what the settings are for")
    add_cell_options(parser)
    words = parser.parse_args()
    return words.experiment, read_cell(words)


def make_task(experiment: str, cell: Cell, own: Run) -> Task:
    """Return what the settings are tried on."""
    if experiment == WARM:
        return hold_out_cut(read_split(INTERACTIONS, cell.catalogue), cell, FEATURES, own)
    recommender = load_cold(cell.recommender)
    split, items = read_split(INTERACTIONS, COMMON), read_items(ITEMS, ["item_id", "split"])
    return hold_out_arrivals(split, items, recommender, cell, FEATURES, own)


def checkpoint_folder(experiment: str, cell: Cell, params: Params) -> Path:
    """Return the folder for the trials that are finished, and for the state of the one that is not."""
    folder = cell.features_folder(FEATURES)
    code = [ROOT / name for name in (*CODE, f"recsys/recommenders/{cell.recommender}.py")]
    inputs = [INTERACTIONS, *([] if experiment == WARM else [ITEMS]), *([folder] if folder else []), *code]
    values = params.model_dump(exclude={MACHINE})
    return checkpoints.key_folder(f"rec_tune-{experiment}-{cell.name}", values, inputs, LIBRARIES)


if __name__ == "__main__":
    run(main)
