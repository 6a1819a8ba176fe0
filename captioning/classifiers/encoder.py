"""A text classifier of transformers (BERT and its like), fine-tuned to tell a garment's category from its description.

The study scored with dropout on and a ReLU on the logits; here the model is in `eval()` whenever it predicts, and the
category is that of the largest logit, negative or not.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar

from pipeline.batches import batch_by_length
from pipeline.core.errors import UserError
from pipeline.core.progress import track
from pipeline.model_folders import find_files

BATCH = 64  # texts that are classified together
Labelled = tuple[Sequence[str], Sequence[str]]  # texts, and the category of each


class Settings(NamedTuple):
    """How the encoder is fine-tuned; see `caption_classifier` in params.yaml."""

    epochs: int
    patience: int
    lr: float
    batch_size: int
    max_tokens: int
    seed: int


@dataclass(frozen=True)
class SequenceClassifier:
    """Category k of a text has the k-th logit of `model`."""

    categories: tuple[str, ...]
    model: Any
    tokenizer: Any
    max_tokens: int

    @torch.inference_mode()
    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """(n, categories), float32; the words of a text beyond `max_tokens` are not read."""
        self.model.eval()  # no dropout
        out = np.empty((len(texts), len(self.categories)), dtype=np.float32)
        for rows in track(batch_by_length(texts, BATCH), "classifying", unit="batch"):
            tokens = self.encode([texts[row] for row in rows], padding=True, return_tensors="pt")
            out[rows] = self.model(**tokens.to(self.model.device)).logits.float().cpu().numpy()
        return out

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The category with the largest logit for each text; the first in the alphabet on a tie."""
        return [self.categories[best] for best in self.logits(texts).argmax(axis=1)]

    def encode(self, texts: Sequence[str], **options: Any) -> Any:
        return self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens, **options)

    def save(self, folder: Path) -> None:
        """Weights (safetensors), configuration and tokenizer, as `from_pretrained` reads them."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def fit(
    encoder: Path | str, train: Labelled, validation: Labelled, settings: Settings, device: str = "cpu"
) -> SequenceClassifier:
    """The model of the epoch with the best validation loss; training stops `patience` epochs after it.

    Args:
        encoder: a model folder `data/models/<name>`: weights and tokenizer, or a hub.json.
        validation: items of categories that training does not have are left out.

    Raises:
        UserError: there is no such model, it is none that can classify texts, or no item is left for the validation.
    """
    set_seed(settings.seed)  # of the new layer's weights too
    classifier = _pretrained(Path(encoder), tuple(sorted(set(train[1]))), settings.max_tokens, device)
    place = {category: label for label, category in enumerate(classifier.categories)}
    data = [_rows(classifier, texts, categories, place) for texts, categories in (train, validation)]
    if not data[1]:
        raise UserError("data/prepared/items.parquet: no validation item is of a category that training items have")
    with tempfile.TemporaryDirectory(prefix="classifier-") as folder:
        trainer = Trainer(
            model=classifier.model,
            args=_arguments(folder, settings, device),
            train_dataset=data[0],
            eval_dataset=data[1],
            data_collator=DataCollatorWithPadding(classifier.tokenizer),
            callbacks=[EarlyStoppingCallback(settings.patience)],
        )
        trainer.remove_callback(PrinterCallback)
        with _quiet():
            trainer.train()
    classifier.model.to(device).eval()
    return classifier


def load(folder: Path, categories: tuple[str, ...], device: str = "cpu") -> SequenceClassifier:
    """What `SequenceClassifier.save` wrote.

    Raises:
        UserError: it cannot be read, or has another number of categories.
    """
    found = _read(folder, None, device)
    if found[0].config.num_labels != len(categories):
        raise UserError(
            f"{folder}: {len(categories)} categories but {found[0].config.num_labels} logits; run `dvc repro -f caption_classifier`"
        )
    found[0].eval()
    return SequenceClassifier(categories, *found, max_tokens=found[1].model_max_length)


def _pretrained(encoder: Path, categories: tuple[str, ...], max_tokens: int, device: str) -> SequenceClassifier:
    model, tokenizer = _read(encoder, len(categories), device)
    model.config.id2label = dict(enumerate(categories))
    model.config.label2id = {category: label for label, category in enumerate(categories)}
    longest = min(max_tokens, getattr(model.config, "max_position_embeddings", max_tokens))
    tokenizer.model_max_length = longest  # saved with the tokenizer: what is scored is cut like what was learned
    return SequenceClassifier(categories, model, tokenizer, longest)


def _read(folder: Path, labels: int | None, device: str) -> tuple[Any, Any]:
    """Model and tokenizer; `labels`: of a new last layer, None where the model has its own."""
    source = find_files(folder)
    disable_progress_bar()  # of loading single arrays
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    new = {} if labels is None else {"num_labels": labels}
    try:
        with _quiet():  # that the last layer is new is what we want
            model, info = AutoModelForSequenceClassification.from_pretrained(
                source, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **new, **safe
            )
        tokenizer = AutoTokenizer.from_pretrained(source, **safe)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{folder}: not a model that can classify texts (safetensors weights and a tokenizer are needed): {reason}"
        ) from error
    body = f"{model.base_model_prefix}."
    lost = [name for name in info["missing_keys"] if name.startswith(body) and ".pooler." not in name]
    if lost:  # transformers only warns, and goes on with random weights; the last layers are new by right
        raise UserError(f"{folder}: {len(lost)} of its weights are not there, first {sorted(lost)[0]}")
    return model.to(device), tokenizer


def _rows(
    classifier: SequenceClassifier, texts: Sequence[str], categories: Sequence[str], place: dict[str, int]
) -> list[dict[str, Any]]:
    kept = [(text, place[category]) for text, category in zip(texts, categories, strict=True) if category in place]
    tokens = classifier.encode([text for text, _ in kept]) if kept else {}
    return [{name: tokens[name][row] for name in tokens} | {"labels": label} for row, (_, label) in enumerate(kept)]


def _arguments(folder: str, settings: Settings, device: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=folder,
        num_train_epochs=settings.epochs,
        learning_rate=settings.lr,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=BATCH,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        save_only_model=True,  # safetensors alone: no optimiser in a pickle
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=settings.seed,
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers tells of each layer that is new, and of how it finds its own files."""
    logger = logging.getLogger("transformers")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
