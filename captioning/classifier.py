"""python -m captioning.classifier: trains a classifier that reads a garment's category from its description.

Writes data/classifier/ and metrics/classifier.json. `encoder: minilm` leaves MiniLM unchanged and fits a logistic head;
any other encoder, such as BERT, is fine-tuned.
"""

from pathlib import Path
from typing import Literal

import pandas as pd

from captioning.classifiers.settings import CaptionClassifier
from catalogue.prepared.items import read_items
from features.sentences import MINILM
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder, write_json
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import Machine
from pipeline.model_folders import MODELS, check_folder

ITEMS = Path("data/prepared/items.parquet")
CLASSIFIER = Path("data/classifier")
METRICS = Path("metrics/classifier.json")


class Params(Section):
    """The keys of params.yaml that this stage reads."""

    device: Literal["cpu", "cuda"]
    machine: Machine
    caption_classifier: CaptionClassifier


def main() -> None:
    """Fit the classifier to the training descriptions, and write it with its accuracies."""
    params = read(Params)
    settings = params.caption_classifier
    if settings.encoder != MINILM:
        check_folder(MODELS / settings.encoder)
    items = read_items(ITEMS, ["item_id", "description", "category", "split"])
    items = items[items["split"].notna()].reset_index(drop=True)
    _check(items)
    import torch  # seconds: after everything that can be refused without it

    from captioning.classifiers import fitting, logistic

    torch.set_num_threads(params.machine.threads)
    classifier, predicted, nearest = fitting.fit(items, settings, params.device)
    metrics = fitting.measure_accuracy(items, predicted, "accuracy")
    metrics |= fitting.measure_accuracy(items, nearest, "accuracy_zero_shot")
    metrics |= {"categories": len(classifier.categories)}
    with new_folder(CLASSIFIER) as partial:
        logistic.save(partial, classifier)
    write_json(METRICS, metrics)
    print_summary(
        f"wrote {CLASSIFIER}: {len(classifier.categories)} categories, accuracy on true test descriptions "
        f"{metrics['test_accuracy']:.3f} (zero-shot {metrics['test_accuracy_zero_shot']:.3f})",
        params.machine.threads,
    )


def _check(items: pd.DataFrame) -> None:
    missing = {"train", "validation", "test"} - set(items["split"])
    if missing:
        raise UserError(
            f"{ITEMS}: no item in split {', '.join(sorted(missing))}; "
            "use more articles, or other filters in catalogue_prepare"
        )
    categories = sorted(set(items["category"][items["split"] == "train"]))
    if len(categories) < 2:
        raise UserError(
            f"{ITEMS}: the training items have one category ({categories[0]}), and a classifier needs two or more; "
            "use more articles, or other filters in catalogue_prepare"
        )


if __name__ == "__main__":
    run(main)
