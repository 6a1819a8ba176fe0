"""python -m captioning.classifier: teaches a classifier to tell a garment's category from its description.

`encoder: minilm` keeps MiniLM as it is and fits a logistic head; any other encoder, such as BERT, is fine-tuned.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field

from catalogue.prepared.items import read_items
from features.sentences import MINILM, encode
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder, write_json
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.model_folders import MODELS, check_folder

ITEMS = Path("data/prepared/items.parquet")


class CaptionClassifier(Section):
    """Section `caption_classifier`."""

    encoder: Annotated[str, Field(min_length=1)]  # MINILM, or a folder under data/models/
    regularisation: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # C of scikit-learn: the larger, the weaker
    epochs: Annotated[int, Field(ge=1)]
    patience: Annotated[int, Field(ge=1)]
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    batch_size: Annotated[int, Field(ge=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]


class Params(Section):
    """What this stage reads of params.yaml."""

    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Field(ge=1)]
    caption_classifier: CaptionClassifier


def main() -> None:
    """Reads data/prepared/items.parquet, writes data/classifier/ and metrics/classifier.json."""
    params = read(Params)
    if params.caption_classifier.encoder != MINILM:
        check_folder(MODELS / params.caption_classifier.encoder)
    items = read_items(ITEMS, ["item_id", "description", "category", "split"])
    items = items[items["split"].notna()].reset_index(drop=True)
    _check(items)
    import torch

    from captioning.classifiers.logistic import save

    torch.set_num_threads(params.threads)
    classifier, predicted, nearest = _fit(items, params)
    metrics = _accuracies(items, predicted, "accuracy") | _accuracies(items, nearest, "accuracy_zero_shot")
    metrics |= {"categories": len(classifier.categories)}
    with new_folder("data/classifier") as partial:
        save(partial, classifier)
    write_json("metrics/classifier.json", metrics)
    print_summary(
        f"wrote data/classifier: {len(classifier.categories)} categories, accuracy on true test descriptions "
        f"{metrics['test_accuracy']:.3f} (zero-shot {metrics['test_accuracy_zero_shot']:.3f})"
    )


def _fit(items: pd.DataFrame, params: Params) -> tuple[Any, list[str], list[str]]:
    """The classifier, what it says of each item, and the category name that is nearest to each item's description."""
    from captioning.classifiers.logistic import fit, zero_shot

    settings = params.caption_classifier
    vectors = encode(items["description"].tolist(), device=params.device)  # (items, 384)
    if settings.encoder == MINILM:
        train = items["split"].eq("train").to_numpy()
        head = fit(vectors[train], items["category"][train].tolist(), settings.regularisation)
        return head, head.predict(vectors), zero_shot(vectors, head.categories)
    from captioning.classifiers import encoder

    texts, labels = (
        [items[column][items["split"].eq(split)].tolist() for split in ("train", "validation")]
        for column in ("description", "category")
    )
    chosen = encoder.Settings(**settings.model_dump(exclude={"encoder", "regularisation"}))
    tuned = encoder.fit(MODELS / settings.encoder, (texts[0], labels[0]), (texts[1], labels[1]), chosen, params.device)
    return tuned, tuned.predict(items["description"].tolist()), zero_shot(vectors, tuned.categories)


def _check(items: pd.DataFrame) -> None:
    missing = {"train", "validation", "test"} - set(items["split"])
    if missing:
        raise UserError(
            f"{ITEMS}: no item in split {', '.join(sorted(missing))}; use more articles, or other filters in catalogue_prepare"
        )
    categories = sorted(set(items["category"][items["split"] == "train"]))
    if len(categories) < 2:
        raise UserError(
            f"{ITEMS}: the training items have one category ({categories[0]}); a classifier needs two or more"
        )


def _accuracies(items: pd.DataFrame, predicted: list[str], name: str) -> dict[str, float | int]:
    right = items["category"].eq(pd.Series(predicted))
    metrics: dict[str, float | int] = {}
    for split in ("train", "validation", "test"):
        chosen = items["split"].eq(split)
        metrics |= {f"{split}_{name}": float(right[chosen].mean()), f"{split}_items": int(chosen.sum())}
    return metrics


if __name__ == "__main__":
    run(main)
