"""python -m captioning.classifier: teaches a small classifier to tell a garment's category from its description."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from pipeline.errors import UserError
from pipeline.outputs import new_folder, write_json
from pipeline.params import Section, read
from pipeline.stage import done, run


class CaptionClassifier(Section):
    """Section `caption_classifier`."""

    encoder: Literal["minilm"]
    regularisation: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # C of scikit-learn: the larger, the weaker


class Params(Section):
    """What this stage reads of params.yaml."""

    threads: Annotated[int, Field(ge=1)]
    caption_classifier: CaptionClassifier


def main() -> None:
    """Reads data/prepared/items.parquet, writes data/classifier/ and metrics/classifier.json."""
    params = read(Params)
    items = pd.read_parquet("data/prepared/items.parquet", columns=["item_id", "description", "category", "split"])
    items = items[items["split"].notna()].sort_values("item_id").reset_index(drop=True)
    _check(items)
    import torch

    from captioning.categories import fit, save
    from pipeline import minilm

    torch.set_num_threads(params.threads)
    vectors = minilm.encode(items["description"].tolist())  # (items, 384)
    train = items["split"].eq("train").to_numpy()
    head = fit(vectors[train], items["category"][train].tolist(), params.caption_classifier.regularisation)
    metrics = _accuracies(items, head.predict(vectors)) | {"categories": len(head.categories)}
    with new_folder("data/classifier") as partial:
        save(partial, head)
    write_json("metrics/classifier.json", metrics)
    done(
        f"wrote data/classifier: {len(head.categories)} categories, accuracy on true test descriptions {metrics['test_accuracy']:.3f}"
    )


def _check(items: pd.DataFrame) -> None:
    missing = {"train", "validation", "test"} - set(items["split"])
    if missing:
        raise UserError(
            f"data/prepared/items.parquet: no item in split {', '.join(sorted(missing))}; use more articles, or other filters in catalogue_prepare"
        )
    categories = sorted(set(items["category"][items["split"] == "train"]))
    if len(categories) < 2:
        raise UserError(
            f"data/prepared/items.parquet: the training items have one category ({categories[0]}); a classifier needs two or more"
        )


def _accuracies(items: pd.DataFrame, predicted: list[str]) -> dict[str, float | int]:
    right = items["category"].eq(pd.Series(predicted))
    metrics: dict[str, float | int] = {}
    for split in ("train", "validation", "test"):
        chosen = items["split"].eq(split)
        metrics |= {f"{split}_accuracy": float(right[chosen].mean()), f"{split}_items": int(chosen.sum())}
    return metrics


if __name__ == "__main__":
    run(main)
