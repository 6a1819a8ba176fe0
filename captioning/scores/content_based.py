"""The scores that compare a caption with what is known of its garment: attributes, category, type, colour and pattern, picture."""

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from captioning.scores import accuracy, attributes, core
from captioning.scores.study import ATTRIBUTES, IMAGES, REFERENCE, Study, by_set
from captioning.tagging.extract import extract
from captioning.tagging.settings import CaptionAttributes
from pipeline.model_folders import MODELS

CLASSIFIER = Path("data/classifier")


class Words(NamedTuple):
    """What `score` found.

    Attributes:
        scores: a row per distinct item and caption: item_id, caption, and a column per metric; NaN where there is none.
        attributes: captioner, variant, and what `attributes.by_attribute` counts.
        confusions: captioner, variant, true_category, predicted_category, items; captioner and variant `reference` are
            the true descriptions.
        reference: the accuracies of the true descriptions, beside which those of captions are to be read.
    """

    scores: pd.DataFrame
    attributes: pd.DataFrame
    confusions: pd.DataFrame
    reference: dict[str, float]


def score(study: Study, settings: CaptionAttributes, clip_model: Path | None, device: str, checkpoints: Path) -> Words:
    """All of these scores, each distinct caption of an item once.

    Args:
        clip_model: a model folder; None leaves CLIPScore out.
        checkpoints: a folder for finished parts, kept until the scores are written.
    """
    pairs = study.captions[["item_id", "caption"]].drop_duplicates().reset_index(drop=True)
    captions, items = pairs["caption"].tolist(), study.items.loc[pairs["item_id"]]
    vocabulary = json.loads((ATTRIBUTES / "vocabulary.json").read_text(encoding="utf-8"))
    selected = extract(captions, settings, MODELS / settings.tagger, device, checkpoints)
    references = [list(found) for found in items["attributes"]]
    described, categories = study.items["description"].tolist(), study.items["category"].tolist()
    judged = accuracy.score(captions + described, items["category"].tolist() + categories, CLASSIFIER, device)
    said, truth = judged[: len(captions)], judged[len(captions) :]
    parts = [pairs, attributes.compare(selected, references, vocabulary)]
    if len(study.truth):
        parts.append(_core(captions, study.truth.loc[pairs["item_id"]].reset_index(drop=True)))
    parts.append(said.drop(columns="predicted_category"))
    if clip_model:
        parts.append(_clip(study, pairs, clip_model, device, checkpoints))
    about = {"selected": selected, "references": references, "category": items["category"].tolist()}
    about["predicted"] = said["predicted_category"].tolist()
    sets = by_set(study.captions.merge(pd.concat([pairs, pd.DataFrame(about)], axis=1), on=["item_id", "caption"]))
    confused = [
        (name, variant, accuracy.confusions(rows["category"], rows["predicted"])) for name, variant, rows in sets
    ]
    confused.append((REFERENCE, REFERENCE, accuracy.confusions(categories, truth["predicted_category"])))
    return Words(
        pd.concat(parts, axis=1),
        _stack(
            [
                (name, variant, attributes.by_attribute(rows["selected"], rows["references"], vocabulary))
                for name, variant, rows in sets
            ]
        ),
        _stack(confused),
        {name: float(truth[name].mean()) for name in ("accuracy", "accuracy_zero_shot")},
    )


def _core(captions: list[str], truth: pd.DataFrame) -> pd.DataFrame:
    found = core.by_attribute(captions, truth)
    found.insert(0, "core_precision", core.score(captions, truth))
    return found.where(truth["type"].notna(), axis=0)


def _clip(study: Study, pairs: pd.DataFrame, model: Path, device: str, checkpoints: Path) -> pd.DataFrame:
    from captioning.scores import clip_score
    from catalogue.prepared.images import ImageStore

    references = {str(item): [text] for item, text in study.items["description"].items()}
    given = list(zip(pairs["item_id"], pairs["caption"], strict=True))
    return clip_score.score(given, references, ImageStore(IMAGES), model, device, checkpoints)


def _stack(tables: list[tuple[str, str, pd.DataFrame]]) -> pd.DataFrame:
    """One table, captioner and variant in front."""
    for captioner, variant, table in tables:
        table.insert(0, "captioner", captioner)
        table.insert(1, "variant", variant)
    return pd.concat([table for _, _, table in tables], ignore_index=True)
