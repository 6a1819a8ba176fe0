"""python -m captioning.score: the scores of every captioner's captions of the test items, before (pt) and after (ft) fine-tuning.

Beside them the floor (a captioner's FT captions given to wrong items) and, where the truth is known, the ceiling (a second
description of the same garment). Writes metrics/captions.json and, per item, data/scores/captions.parquet.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import field_validator

from captioning.scores.reference_based import Scores, score_captions
from captioning.scores.study import ATTRIBUTES, CEILING, Study, load
from captioning.spice_models import SKIPPED, CaptionScore
from captioning.tagger.settings import CaptionAttributes
from pipeline.errors import UserError
from pipeline.outputs import write_json, write_parquet
from pipeline.params import Section, read
from pipeline.stage import done, run

CLASSIFIER, CORENLP, MODELS = Path("data/classifier"), Path("data/corenlp"), Path("data/models")
METRICS, SCORES = Path("metrics/captions.json"), Path("data/scores/captions.parquet")
ORDER = (
    *("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider", "spice"),
    *("attribute_precision", "attribute_recall", "attributes_selected"),
    *("core_precision", "core_type", "core_colour", "core_pattern"),
    *("accuracy", "accuracy_zero_shot", "length_ratio", "finished_share"),
)
LEFT_OUT = {  # why a caption can be without a value
    "attribute_precision": "the reference has no attribute of the vocabulary",
    "core_precision": "the caption names no type, colour or pattern",
    "core_type": "the caption names no type",
    "core_colour": "the caption names no colour",
    "core_pattern": "the caption names no pattern",
}


class Params(Section):
    """The root keys that this stage reads."""

    captioners: dict[str, Any]
    caption_attributes: CaptionAttributes
    caption_score: CaptionScore

    @field_validator("captioners")
    @classmethod
    def _names_are_free(cls, captioners: dict[str, Any]) -> dict[str, Any]:
        taken = sorted({CEILING, "skipped"} & set(captioners))
        if taken:
            raise ValueError(f"{', '.join(taken)}: this name has a meaning of its own in {METRICS}; choose another")
        return captioners


def main() -> None:
    """Reads captions, items, truth, attributes, classifier and CoreNLP; writes the scores."""
    params = read(Params)
    spice_folder = _spice_folder(params.caption_score)
    study = load(list(params.captioners))
    scores = score_captions(
        _sets(study.captions), {str(item): [text] for item, text in study.items["description"].items()}, spice_folder
    )
    study = study.without(scores.left_out)
    table = study.captions.merge(_score_words(study, params.caption_attributes), on=["item_id", "caption"])
    table = table.rename(columns={"finished": "finished_share"})
    metrics = _metrics(table, scores)
    no_spice = ["spice: `caption_score.spice: skip` in params.yaml"] if spice_folder is None else []
    write_parquet(SCORES, _long(table, scores))
    write_json(METRICS, {**metrics, "skipped": [*no_spice, *study.skipped, *_left_out(table)]})
    done(f"wrote {METRICS}: {len(study.items)} items; {_summary(metrics)}")


def _spice_folder(settings: CaptionScore) -> Path | None:
    """Where CoreNLP lies, None with `skip`.

    Raises:
        UserError: SPICE is required and CoreNLP is not there.
    """
    if settings.spice == "skip":
        return None
    if (CORENLP / SKIPPED).exists() or not any(CORENLP.glob("*.jar")):
        raise UserError(
            f"{CORENLP}: no CoreNLP, and `caption_score.spice: required` in params.yaml; "
            f"run `dvc repro caption_spice_models`, or set `caption_score.spice: skip`"
        )
    return CORENLP


def _groups(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """The rows of each set of captions: captioner, variant, rows."""
    sets = table[["captioner", "variant"]].drop_duplicates().astype(str).to_numpy().tolist()
    return [
        (name, variant, table[table["captioner"].eq(name) & table["variant"].eq(variant)]) for name, variant in sets
    ]


def _sets(captions: pd.DataFrame) -> dict[str, dict[str, str]]:
    return {
        f"{captioner} {variant}": dict(zip(rows["item_id"], rows["caption"], strict=True))
        for captioner, variant, rows in _groups(captions)
    }


def _score_words(study: Study, settings: CaptionAttributes) -> pd.DataFrame:
    """The scores that look at a caption's attributes and category, a row per distinct item and caption."""
    from captioning.scores import accuracy, attributes, core  # torch: only when it comes to it

    pairs = study.captions[["item_id", "caption"]].drop_duplicates().reset_index(drop=True)
    captions, items = pairs["caption"].tolist(), study.items.loc[pairs["item_id"]]
    vocabulary = json.loads((ATTRIBUTES / "vocabulary.json").read_text(encoding="utf-8"))
    references = [list(found) for found in items["attributes"]]
    found = attributes.score(captions, references, vocabulary, settings, MODELS / settings.tagger)
    parts = [pairs, found, accuracy.score(captions, items["category"].tolist(), CLASSIFIER)]
    if len(study.truth):
        truth = study.truth.loc[pairs["item_id"]].reset_index(drop=True)
        known = truth["type"].notna()
        found = core.by_attribute(captions, truth).assign(core_precision=core.score(captions, truth))
        parts.append(found.where(known, axis=0))
    return pd.concat(parts, axis=1)


def _left_out(table: pd.DataFrame) -> list[str]:
    """How many captions have no value in a metric, and are left out of its mean."""
    notes = []
    for metric, why in LEFT_OUT.items():
        if metric in table:
            missing = [
                (f"{captioner} {variant}", rows[metric].isna().sum()) for captioner, variant, rows in _groups(table)
            ]
            counts = [f"{name} {count}" for name, count in missing if count]
            notes += [f"{metric}: left out where {why}: {', '.join(counts)}"] if counts else []
    return notes


def _metrics(table: pd.DataFrame, scores: Scores) -> dict[str, Any]:
    """metrics/captions.json without what was skipped."""
    metrics: dict[str, Any] = {}
    words = [metric for metric in ORDER if metric in table]
    for captioner, variant, rows in _groups(table):
        found = dict(scores.corpus[f"{captioner} {variant}"])
        found |= {str(metric): float(mean) for metric, mean in rows[words].mean().dropna().items()}
        values = {**{metric: found[metric] for metric in ORDER if metric in found}, "items": len(rows)}
        if captioner == CEILING:
            metrics[CEILING] = values
        else:
            metrics.setdefault(captioner, {})[variant] = values
    return metrics


def _long(table: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """data/scores/captions.parquet: item_id, captioner, variant, metric, value; what has no value has no row."""
    words = [metric for metric in ORDER if metric in table]
    parts = []
    for captioner, variant, rows in _groups(table):
        told = rows.melt("item_id", words, var_name="metric", value_name="value").dropna(subset=["value"])
        counted = scores.items[scores.items["set"].eq(f"{captioner} {variant}")]
        both = pd.concat([counted, told]).sort_values(["item_id", "metric"])
        parts.append(both.assign(captioner=captioner, variant=variant))
    return pd.concat(parts, ignore_index=True)[["item_id", "captioner", "variant", "metric", "value"]]


def _summary(metrics: dict[str, Any]) -> str:
    parts = [
        f"{name} {one['pt']['bleu_4']:.3f} -> {one['ft']['bleu_4']:.3f}"
        for name, one in metrics.items()
        if name != CEILING
    ]
    if CEILING in metrics:
        parts.append(f"ceiling {metrics[CEILING]['bleu_4']:.3f}")
    return "BLEU-4 pt -> ft: " + ", ".join(parts)


if __name__ == "__main__":
    run(main)
