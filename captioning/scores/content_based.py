"""Computes all content-based scores of a study: attributes and which of them show, category, picture.

Each distinct caption of an item is scored once.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from captioning.scores import ContentScore, Garments, accuracy, attributes, bert_score, clip_score, core, visible, words
from captioning.scores.study import REFERENCE, Study, split_by_set
from captioning.tagging.extract import extract_spans, name_attributes
from captioning.tagging.settings import CaptionAttributes

SCORES: tuple[ContentScore, ...] = (attributes, visible, core, accuracy, clip_score, bert_score)
LEFT_OUT = {metric: reason for score in SCORES for metric, reason in score.LEFT_OUT.items()}


class Models(NamedTuple):
    """The folders of the models that read captions.

    Attributes:
        tagger: a Stanza pipeline.
        classifier: the output of the stage caption_classifier.
        clip: a CLIP; None leaves CLIPScore out.
        bert: a BERT or its like; None leaves BERTScore out.
        bert_layer: after how many of its layers tokens are compared.
    """

    tagger: Path
    classifier: Path
    clip: Path | None
    bert: Path | None
    bert_layer: int


class ContentScores(NamedTuple):
    """The content-based scores of a study.

    Attributes:
        scores: a row per distinct item and caption: item_id, caption, and a column per metric; NaN where a caption has
            no value.
        attributes: captioner, variant, and the columns of `attributes.by_attribute`.
        confusions: captioner, variant, true_category, predicted_category, items; captioner and variant `reference` are
            the true descriptions.
        reference: the accuracies of the true descriptions, to compare those of captions with.
        words: where each caption names an attribute, and the categories read from it, as `words.list_words` says.
    """

    scores: pd.DataFrame
    attributes: pd.DataFrame
    confusions: pd.DataFrame
    reference: dict[str, float]
    words: pa.Table


def score(
    study: Study, settings: CaptionAttributes, models: Models, images: Path, device: str, threads: int, work: Path
) -> ContentScores:
    """Compute the content-based scores of every caption of the study.

    Args:
        study: items, truth, captions and the vocabulary of attributes.
        settings: the section `caption_attributes`.
        models: the folders of the models.
        images: the folder of packed pictures.
        device: where models run, `cpu` or `cuda`.
        threads: CPU threads of the tagger.
        work: the folder for finished parts, until the scores are written.
    """
    pairs = study.captions[["item_id", "caption"]].drop_duplicates().reset_index(drop=True)
    captions, items = pairs["caption"].tolist(), study.items.loc[pairs["item_id"]]
    descriptions, categories = study.items["description"].tolist(), study.items["category"].tolist()
    spans = extract_spans(captions, settings, models.tagger, device, work, threads)
    predicted, nearest = accuracy.classify(captions + descriptions, models.classifier, device)
    count = len(captions)
    garments = Garments(
        items=pairs["item_id"].tolist(),
        captions=captions,
        selected=[name_attributes(of_caption) for of_caption in spans],
        attributes=[list(of_item) for of_item in items["attributes"]],
        vocabulary=study.vocabulary,
        categories=items["category"].tolist(),
        predicted=predicted[:count],
        nearest=nearest[:count],
        truth=study.truth.loc[pairs["item_id"]].reset_index(drop=True) if len(study.truth) else None,
        references={str(item): [text] for item, text in study.items["description"].items()},
        images=images,
        clip_model=models.clip,
        bert_model=models.bert,
        bert_layer=models.bert_layer,
        device=device,
        work=work,
    )
    of_reference = accuracy.compare(categories, predicted[count:], nearest[count:])
    tables = [table for module in SCORES if (table := module.score(garments)) is not None]
    return ContentScores(
        pd.concat([pairs, *tables], axis=1),
        *_count_by_set(study, pairs, garments, accuracy.count_confusions(categories, predicted[count:])),
        {str(metric): float(mean) for metric, mean in of_reference.mean().items()},
        words.list_words(study.captions, pairs, spans, study.vocabulary, garments.predicted, garments.nearest),
    )


def _count_by_set(
    study: Study, pairs: pd.DataFrame, garments: Garments, reference: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count the attributes and the confusions of every set of captions; the confusions of the references come last."""
    columns = {
        "selected": garments.selected,
        "attributes": garments.attributes,
        "category": garments.categories,
        "predicted": garments.predicted,
    }
    table = pd.concat([pairs, pd.DataFrame(columns)], axis=1)
    by_attribute, confusions = [], []
    for name, variant, rows in split_by_set(study.captions.merge(table, on=["item_id", "caption"])):
        counts = attributes.by_attribute(rows["selected"], rows["attributes"], garments.vocabulary)
        by_attribute.append((name, variant, counts))
        confusions.append((name, variant, accuracy.count_confusions(rows["category"], rows["predicted"])))
    confusions.append((REFERENCE, REFERENCE, reference))
    return _stack(by_attribute), _stack(confusions)


def _stack(tables: list[tuple[str, str, pd.DataFrame]]) -> pd.DataFrame:
    """Stack tables of one set each, captioner and variant in front."""
    for captioner, variant, table in tables:
        table.insert(0, "captioner", captioner)
        table.insert(1, "variant", variant)
    return pd.concat([table for _, _, table in tables], ignore_index=True)
