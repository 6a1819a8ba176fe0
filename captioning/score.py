"""python -m captioning.score: the scores of every captioner's captions of the test items, before (pt) and after (ft) fine-tuning.

Beside them the floor (a captioner's FT captions given to wrong items) and, where the truth is known, the ceiling (a second
description of the same garment). Writes metrics/captions.json; per item data/scores/captions.parquet; per attribute what is
right, missed and invented, data/scores/attributes.parquet; and which categories are taken for which, confusions.parquet.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import field_validator

from captioning.scores.java.corenlp import SKIPPED
from captioning.scores.reference_based import Scores, score_captions
from captioning.scores.settings import CaptionScore
from captioning.scores.study import CEILING, IMAGES, REFERENCE, Study, by_set, load
from captioning.tagging.extract import work_folder
from captioning.tagging.settings import CaptionAttributes
from pipeline.checkpoints import checkpoint_folder, hash_file, list_files
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_json, write_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.model_folders import MODELS, check_folder

if TYPE_CHECKING:
    from captioning.scores.content_based import Words

CORENLP = Path("data/corenlp")
METRICS, SCORES = Path("metrics/captions.json"), Path("data/scores/captions.parquet")
BY_ATTRIBUTE, CONFUSIONS = Path("data/scores/attributes.parquet"), Path("data/scores/confusions.parquet")
# What closes a set's metrics; before them come those of each scorer, in its order.
LAST = ("length_ratio", "finished_share")
LEFT_OUT = {  # why a caption can be without a value
    "attribute_precision": "the reference has no attribute of the vocabulary",
    "core_precision": "the caption names no type, colour or pattern",
    "core_type": "the caption names no type",
    "core_colour": "the caption names no colour",
    "core_pattern": "the caption names no pattern",
}


class Params(Section):
    """The root keys that this stage reads."""

    device: Literal["cpu", "cuda"]
    captioners: dict[str, Any]
    caption_attributes: CaptionAttributes
    caption_score: CaptionScore

    @field_validator("captioners")
    @classmethod
    def _names_are_free(cls, captioners: dict[str, Any]) -> dict[str, Any]:
        taken = sorted({CEILING, REFERENCE, "skipped"} & set(captioners))
        if taken:
            raise ValueError(f"{', '.join(taken)}: this name has a meaning of its own in {METRICS}; choose another")
        return captioners


def main() -> None:
    """Reads captions, items, truth, attributes, classifier and CoreNLP; writes the scores."""
    params = read(Params)
    spice_folder, clip_model = _spice_folder(params.caption_score), _clip_model(params.caption_score)
    study = load(list(params.captioners))
    scores = score_captions(
        _texts(study.captions), {str(item): [text] for item, text in study.items["description"].items()}, spice_folder
    )
    study = study.without(scores.left_out)
    with checkpoint_folder(_work_folder(study, params, clip_model)) as folder:
        words = _score_words(study, params, clip_model, folder)
        table = study.captions.rename(columns={"finished": "finished_share"})
        table = table.merge(words.scores, on=["item_id", "caption"]).drop(columns="caption")
        metrics = _metrics(table, scores)
        no_spice = ["spice: `caption_score.spice: skip` in params.yaml"] if spice_folder is None else []
        skipped = [*no_spice, *study.skipped, *scores.notes, *_left_out(table)]
        write_parquet(SCORES, _long(table, scores))
        write_parquet(BY_ATTRIBUTE, words.attributes)
        write_parquet(CONFUSIONS, words.confusions)
        write_json(METRICS, {**metrics, REFERENCE: words.reference, "skipped": skipped})
    print_summary(f"wrote {METRICS}: {len(study.items)} items; {_summary(metrics)}")


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


def _clip_model(settings: CaptionScore) -> Path | None:
    """Its folder, None with `none`.

    Raises:
        UserError: there is no such model.
    """
    if settings.clip_model == "none":
        return None
    check_folder(MODELS / settings.clip_model)
    return MODELS / settings.clip_model


def _work_folder(study: Study, params: Params, clip_model: Path | None) -> Path:
    """Of the tagged captions, and CLIP's embeddings: of these texts, by these models, of these images."""
    texts = [*study.captions["caption"], *study.items["description"]]
    inputs = [clip_model, IMAGES] if clip_model else []
    more = {str(path): [hash_file(file) for file in list_files(path)] for path in inputs}
    settings = params.caption_attributes
    return work_folder("caption_score", texts, settings, MODELS / settings.tagger, params.device, more)


def _score_words(study: Study, params: Params, clip_model: Path | None, folder: Path) -> "Words":
    from captioning.scores import content_based

    return content_based.score(study, params.caption_attributes, clip_model, params.device, folder)


def _texts(captions: pd.DataFrame) -> dict[str, dict[str, str]]:
    """`captioner variant` -> item -> caption."""
    return {
        f"{captioner} {variant}": dict(zip(rows["item_id"], rows["caption"], strict=True))
        for captioner, variant, rows in by_set(captions)
    }


def _metrics(table: pd.DataFrame, scores: Scores) -> dict[str, Any]:
    """metrics/captions.json without the references and what was skipped.

    Args:
        table: a row per item, captioner and variant, a column per metric.
    """
    metrics: dict[str, Any] = {}
    for captioner, variant, rows in by_set(table):
        found = dict(scores.corpus[f"{captioner} {variant}"])
        found |= {str(metric): float(mean) for metric, mean in rows[_names(table)].mean().dropna().items()}
        found |= {metric: found.pop(metric) for metric in LAST if metric in found}  # in their place
        values = {**found, "items": len(rows)}
        if captioner == CEILING:
            metrics[CEILING] = values
        else:
            metrics.setdefault(captioner, {})[variant] = values
    return metrics


def _long(table: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """data/scores/captions.parquet: item_id, captioner, variant, metric, value; what has no value has no row."""
    parts = []
    for captioner, variant, rows in by_set(table):
        told = rows.melt("item_id", _names(table), var_name="metric", value_name="value").dropna(subset=["value"])
        counted = scores.items[scores.items["set"].eq(f"{captioner} {variant}")]
        both = pd.concat([counted, told]).sort_values(["item_id", "metric"])
        parts.append(both.assign(captioner=captioner, variant=variant))
    return pd.concat(parts, ignore_index=True)[["item_id", "captioner", "variant", "metric", "value"]]


def _left_out(table: pd.DataFrame) -> list[str]:
    """How many captions have no value in a metric, and are left out of its mean."""
    notes = []
    for metric, why in LEFT_OUT.items():
        if metric in table:
            missing = [
                (captioner if captioner == variant else f"{captioner} {variant}", rows[metric].isna().sum())
                for captioner, variant, rows in by_set(table)
            ]
            counts = [f"{name} {count}" for name, count in missing if count]
            notes += [f"{metric}: left out where {why}: {', '.join(counts)}"] if counts else []
    return notes


def _names(table: pd.DataFrame) -> list[str]:
    """The metrics among the columns."""
    return [name for name in table.columns if name not in ("item_id", "captioner", "variant")]


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
