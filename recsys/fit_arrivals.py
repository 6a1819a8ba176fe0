"""python -m recsys.fit_arrivals --recommender R --features F (--text original | --catalogue original).

    python -m recsys.fit_arrivals --recommender vbpr --text original --features sbert
    python -m recsys.fit_arrivals --recommender contentknn --catalogue original --features resnet50

Fits a recommender that ranks cold items on the purchases of everything but the new arrivals
(`recsys.purchases.arrivals`), with the shop's own descriptions: once for each run, whatever words the arrivals will
have. With `--text` the features are `data/features/text/original/F`, with `--catalogue` `data/features/image/F`.

Writes `data/arrivals/models/<recommender>-<features>/`: `run-<r>.safetensors` for each run, and
`validation.safetensors`, fitted as run 0 without the validation arrivals (`recsys.arrivals.models`). The settings are
those that `recsys.tune` chose. A killed fit continues, and its result has the same bytes (CPU).
"""

import shutil
import time
from pathlib import Path
from typing import Literal

from catalogue.prepared.items import read_items
from pipeline import checkpoints
from pipeline.core.outputs import new_folder
from pipeline.core.params import Section, read
from pipeline.core.progress import track
from pipeline.core.stage import print_summary, run
from pipeline.machine import MACHINE, Machine
from pipeline.names import ROOT, with_sections
from recsys.arrivals.models import run_file, validation_file, write_model
from recsys.fitting.cells import Cell, find_cell_rows, load_recommender, parse_cell
from recsys.fitting.runs import derive_seed
from recsys.purchases.arrivals import Arrivals, hold_out_test, hold_out_validation
from recsys.purchases.dataset import COMMON, read_split
from recsys.ranking.settings import RecFit, Run
from recsys.recommenders import load_cold
from recsys.tuning.choices import choice_path, choose, read_choice

ITEMS = Path("data/prepared/items.parquet")
INTERACTIONS = Path("data/interactions")
FEATURES = Path("data/features")
CHOICES = Path("metrics/tune")
FOLDER = Path("data/arrivals/models")
LIBRARIES = ("numpy", "scipy", "torch")  # other versions may give other bits
CODE = (  # with the recommender's own file: what a result depends on
    "features/files.py",
    "catalogue/descriptions/variants.py",
    "catalogue/prepared/items.py",
    "recsys/fit_arrivals.py",
    "recsys/arrivals",
    "recsys/fitting",
    "recsys/graphs",
    "recsys/pairwise",
    "recsys/purchases",
    "recsys/ranking",
    "recsys/recommenders/__init__.py",
    "recsys/recommenders/_standards.py",
    "recsys/scoring/arms.py",
    "recsys/tuning",
)


class Params(Section):
    """What the stage reads of params.yaml; `with_sections` adds the recommenders' own sub-sections."""

    device: Literal["cpu", "cuda"]
    machine: Machine
    rec_fit: RecFit


def main() -> None:
    """Fit every run of one cell, and the model without the validation arrivals."""
    cell = parse_cell("recsys.fit_arrivals", "Fit a recommender without the new arrivals.")
    load_recommender(cell)
    recommender = load_cold(cell.recommender)
    params = read(with_sections(Params, [cell.recommender]))
    choice = read_choice(choice_path(CHOICES, "arrivals", cell.name))
    settings = choose(getattr(params.rec_fit, cell.recommender), choice)
    split, items = read_split(INTERACTIONS, COMMON), read_items(ITEMS, ["item_id", "split"])
    arrivals, validation = hold_out_test(split, items), hold_out_validation(split, items)
    started = time.perf_counter()
    with checkpoints.checkpoint_folder(checkpoint_folder(cell, params, choice)) as work:
        numbers = range(params.rec_fit.seeds if recommender.SEEDED else 1)
        fits: dict[Path, tuple[int, Arrivals]] = {run_file(work, number): (number, arrivals) for number in numbers}
        fits[validation_file(work)] = (0, validation)
        for path, (number, held_out) in track(fits.items(), f"fit {cell.name}", unit="fit"):
            if not path.is_file():
                rows = find_cell_rows(cell, FEATURES, held_out.data.item_ids)
                fitted = recommender.fit(held_out.data, settings, make_run(params, number, work / path.stem), rows)
                write_model(path, fitted, held_out.data)
        with new_folder(FOLDER / cell.name) as folder:
            for path in fits:
                shutil.copyfile(path, folder / path.name)
    data, seconds = arrivals.data, time.perf_counter() - started
    print_summary(
        f"wrote {FOLDER / cell.name}: {len(data.users):,} users, {len(data.items):,} items without "
        f"{len(arrivals.items):,} arrivals, {len(numbers)} run(s), {seconds:.1f} s",
        params.machine.threads,
    )


def checkpoint_folder(cell: Cell, params: Params, choice: dict[str, object]) -> Path:
    """Return the folder for the fits that are finished, and for the state of the one that is not."""
    code = [ROOT / name for name in (*CODE, f"recsys/recommenders/{cell.recommender}.py")]
    folder = cell.features_folder(FEATURES)
    inputs = [INTERACTIONS, ITEMS, *([folder] if folder else []), *code]
    name = f"rec_fit_arrivals-{cell.name}"
    return checkpoints.key_folder(name, [params.model_dump(exclude={MACHINE}), choice], inputs, LIBRARIES)


def make_run(params: Params, number: int, work: Path) -> Run:
    """Return run `number`, with a seed and a folder of checkpoints of its own."""
    seed = derive_seed(params.rec_fit.seed, number)
    return Run(seed, params.rec_fit.top_k, params.device, params.machine.threads, work)


if __name__ == "__main__":
    run(main)
