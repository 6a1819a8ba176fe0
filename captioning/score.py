"""python -m captioning.score: scores every captioner's captions, before (pt) and after (ft) fine-tuning.

Beside the test items' captions stand the floor (FT captions given to wrong items) and, where the truth is known, the
ceiling (a second description). Writes metrics/captions.json, and in data/scores/ the scores of each item (captions),
attributes right, missed and invented (attributes) and their places (caption_words), and categories (confusions).
"""

from pathlib import Path
from typing import Literal

from pydantic import field_validator

from captioning.scores.java.corenlp import SKIPPED
from captioning.scores.reference_based import score_captions
from captioning.scores.settings import CaptionScore
from captioning.scores.study import CEILING, REFERENCE, Study, StudyFiles, load
from captioning.tagging.extract import name_work_folder
from captioning.tagging.settings import CaptionAttributes
from pipeline.captioners import Captioners
from pipeline.checkpoints import checkpoint_folder, hash_file, list_files
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_json, write_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import Machine
from pipeline.model_folders import MODELS, check_folder

FILES = StudyFiles(
    items=Path("data/prepared/items.parquet"),
    truth=Path("data/prepared/truth.parquet"),
    captions=Path("data/captions"),
    attributes=Path("data/attributes"),
)
IMAGES = Path("data/prepared/images")
CLASSIFIER = Path("data/classifier")
CORENLP = Path("data/corenlp")
METRICS = Path("metrics/captions.json")
SCORES = Path("data/scores/captions.parquet")
BY_ATTRIBUTE = Path("data/scores/attributes.parquet")
CONFUSIONS = Path("data/scores/confusions.parquet")
WORDS = Path("data/scores/caption_words.parquet")


class Params(Section):
    """The keys of params.yaml that this stage reads."""

    device: Literal["cpu", "cuda"]
    machine: Machine
    captioners: Captioners
    caption_attributes: CaptionAttributes
    caption_score: CaptionScore

    @field_validator("captioners")
    @classmethod
    def _refuse_keys_of_the_metrics(cls, captioners: Captioners) -> Captioners:
        if taken := sorted({CEILING, REFERENCE, "skipped"} & set(captioners)):
            raise ValueError(f"{', '.join(taken)}: this name has a meaning of its own in {METRICS}; choose another")
        return captioners


def main() -> None:
    """Score the captions of every captioner, and write the metrics and the tables."""
    params = read(Params)
    settings, spice_folder = params.caption_score, _find_corenlp(params.caption_score)
    optional = _find_model(settings.clip_model), _find_model(settings.bert_model)
    study = load(list(params.captioners), FILES)
    import torch  # seconds

    from captioning.scores import content_based, tables

    torch.set_num_threads(params.machine.threads)
    references = {str(item): [text] for item, text in study.items["description"].items()}
    scores = score_captions(tables.list_captions(study), references, spice_folder, params.machine.threads)
    study = study.without(scores.left_out)
    with checkpoint_folder(_work_folder(study, params, optional)) as folder:
        tagging = params.caption_attributes
        models = content_based.Models(MODELS / tagging.tagger, CLASSIFIER, *optional, settings.bert_layer)
        content = content_based.score(study, tagging, models, IMAGES, params.device, params.machine.threads, folder)
        table = tables.join_content_scores(study, content)
        metrics = tables.summarize(table, scores)
        skipped = ["spice: `caption_score.spice: skip` in params.yaml"] if spice_folder is None else []
        skipped += [*study.skipped, *scores.notes, *tables.list_left_out(table)]
        write_parquet(SCORES, tables.list_values(table, scores))
        write_parquet(BY_ATTRIBUTE, content.attributes)
        write_parquet(CONFUSIONS, content.confusions)
        write_parquet(WORDS, content.words)
        reasons = {"skipped": skipped} if skipped else {}  # `dvc plots` warns of an empty list
        write_json(METRICS, {**metrics, REFERENCE: content.reference, **reasons})
    print_summary(f"wrote {METRICS}: {len(study.items)} items; {tables.describe(metrics)}", params.machine.threads)


def _find_corenlp(settings: CaptionScore) -> Path | None:
    """Return the folder of CoreNLP, None with `spice: skip`; refuse where SPICE is required and there is no CoreNLP."""
    if settings.spice == "skip":
        return None
    if (CORENLP / SKIPPED).exists() or not any(CORENLP.glob("*.jar")):
        raise UserError(
            f"{CORENLP}: no CoreNLP, and `caption_score.spice: required` in params.yaml; "
            f"run `dvc repro caption_spice_models`, or set `caption_score.spice: skip`"
        )
    return CORENLP


def _find_model(name: str) -> Path | None:
    """Return the folder of a model, None for `none`; refuse where there is no such model."""
    return None if name == "none" else check_folder(MODELS / name)


def _work_folder(study: Study, params: Params, optional: tuple[Path | None, Path | None]) -> Path:
    """Name the folder of tagged captions and what CLIP and BERT make by these texts, models and pictures."""
    texts = [*study.captions["caption"], *study.items["description"]]
    inputs = [path for path in (*optional, optional[0] and IMAGES) if path]
    hashes = {str(path): [hash_file(file) for file in list_files(path)] for path in inputs}
    tagging = params.caption_attributes
    return name_work_folder("caption_score", texts, tagging, MODELS / tagging.tagger, params.device, hashes)


if __name__ == "__main__":
    run(main)
