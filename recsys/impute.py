"""python -m recsys.impute --extractor NAME: write vectors in the place of words that are not there.

Of arrivals (the test items of the catalogue `original`, and the validation items, where the best method is chosen) to
`data/features/imputed/NAME/<imputation>/`, learned from the train items alone:

- `mean`: the mean of the words; `zeros`: no text, so that a recommender on graphs has no edges of words;
- `ridge-<image features>`: ridge regression from the picture;
- `neighbours-<image features>`: the mean of the words of the garments with the most similar pictures.

Of the items without description, for each name of `warm_imputations`, to `data/features/imputed/NAME/warm-<name>/`, a
row for each item of the catalogue `all`: from the words of the items that the same users bought in train, or zeros.
To learn from them: `python -m recsys.fit --text unfilled` with such a folder in the place of
`data/features/text/unfilled/NAME`.

Where the extractor reads pictures too, those columns are the item's own. `imputation.json` says what was chosen.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from catalogue.prepared.items import read_items
from features.files import write_columns
from pipeline.core.outputs import new_folder
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import Machine
from recsys.encoding.stored import read_stored_text
from recsys.imputation.arrivals import Task, impute
from recsys.imputation.graph import fill_missing
from recsys.imputation.purchases import find_bought_together
from recsys.imputation.settings import ZEROS, Imputation, RecImpute, WarmImputation, name_warm
from recsys.imputation.writing import write_imputed
from recsys.purchases.dataset import read_split

ITEMS = Path("data/prepared/items.parquet")
PICTURES = Path("data/features/image")
TEXTS = Path("data/features/text")
INTERACTIONS = Path("data/interactions")
FOLDER = Path("data/features/imputed")


class Params(Section):
    """What the stage reads of params.yaml."""

    image_features: list[str]
    imputations: list[Imputation]
    warm_imputations: list[WarmImputation]
    machine: Machine
    rec_impute: RecImpute


def main() -> None:
    """Write every imputation of one extractor's words."""
    parser = argparse.ArgumentParser(prog="python -m recsys.impute", description="Write vectors in the place of words.")
    parser.add_argument("--extractor", required=True, help="an extractor of text features whose features are there")
    name = parser.parse_args().extractor
    params = read(Params)
    items = read_items(ITEMS, ["item_id", "description", "original", "split"])
    with threadpool_limits(params.machine.threads), new_folder(FOLDER / name) as folder:
        arrivals = impute_arrivals(folder, name, items, params) if params.imputations else []
        warm = impute_warm(folder, name, items, params) if params.warm_imputations else []
    print_summary(f"wrote {FOLDER / name}: {', '.join([*arrivals, *warm]) or 'nothing'}", params.machine.threads)


def impute_arrivals(folder: Path, name: str, items: pd.DataFrame, params: Params) -> list[str]:
    """Write the imputations of arrivals, and return what was written."""
    items = items[items["original"]]
    arrivals = items.loc[items["split"].isin(["validation", "test"]), "item_id"].tolist()
    train = items.loc[items["split"] == "train", "item_id"].tolist()
    stored = read_stored_text(TEXTS / "original" / name)
    task = Task(stored, train, arrivals, PICTURES, params.rec_impute)
    written = []
    for imputation, words, about in impute(task, params.imputations, params.image_features):
        write_imputed(folder / imputation, stored, arrivals, words, about)
        written.append(imputation)
    return written


def impute_warm(folder: Path, name: str, items: pd.DataFrame, params: Params) -> list[str]:
    """Write the imputations of items without description, and return what was written."""
    settings = params.rec_impute.warm
    stored = read_stored_text(TEXTS / "unfilled" / name)
    split = read_split(INTERACTIONS)
    ids = split.item_ids.tolist()
    known = items.set_index("item_id")["description"].notna()[ids].to_numpy()
    train = split.matrix(split.train, np.ones(len(ids), dtype=bool))
    near = find_bought_together(train, settings.neighbours, settings.definition)
    words, written = stored.take_words(ids), []
    for filler in params.warm_imputations:
        filled, n_unreached = np.zeros((int((~known).sum()), words.shape[1])), 0
        if filler != ZEROS:
            filled, n_unreached = fill_missing(filler, words, known, near, settings)
        rows = words.copy()
        rows[~known] = filled
        about = {"definition": settings.definition, "missing": len(filled), "without_known_neighbour": n_unreached}
        write_imputed(folder / name_warm(filler), stored, ids, rows, about)
        write_columns(folder / name_warm(filler), stored.n_pictures)  # models are fitted on these
        written.append(f"{name_warm(filler)} ({len(filled)} items, {n_unreached} without known neighbour)")
    return written


if __name__ == "__main__":
    run(main)
