"""Fine-tunes a text classifier of transformers, such as BERT, to read a garment's category from its description.

The study scored with dropout on and a ReLU on the logits; here the model is in `eval()` whenever it predicts, and the
category is that of the largest logit, negative or not.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BatchEncoding,
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar

from captioning.classifiers.settings import CaptionClassifier
from pipeline.batches import batch_by_length
from pipeline.core.errors import UserError
from pipeline.core.progress import track
from pipeline.model_folders import find_files

BATCH = 64  # texts classified together
Labelled = tuple[Sequence[str], Sequence[str]]  # texts, and the category of each


@dataclass(frozen=True)
class SequenceClassifier:
    """A fine-tuned encoder: category k of a text has the k-th logit of `model`."""

    categories: tuple[str, ...]
    model: Any  # a model of transformers; its own types do not allow `to`
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int

    @torch.inference_mode()
    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Compute the logits of each text: (n, categories), float32; words beyond `max_tokens` are not read."""
        self.model.eval()  # no dropout
        out = np.empty((len(texts), len(self.categories)), dtype=np.float32)
        for rows in track(batch_by_length(texts, BATCH), "classifying", unit="batch"):
            tokens = self.encode([texts[row] for row in rows], padding=True, return_tensors="pt")
            out[rows] = self.model(**tokens.to(self.model.device)).logits.float().cpu().numpy()
        return out

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Predict the category with the largest logit for each text; the first in the alphabet on a tie."""
        return [self.categories[best] for best in self.logits(texts).argmax(axis=1)]

    def encode(self, texts: Sequence[str], **options: Any) -> BatchEncoding:
        """Tokenize texts, cut to `max_tokens`, with more options of the tokenizer."""
        return self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens, **options)

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), configuration and tokenizer, as `from_pretrained` reads them."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def fit(
    encoder: Path | str, train: Labelled, validation: Labelled, settings: CaptionClassifier, device: str = "cpu"
) -> SequenceClassifier:
    """Fine-tune an encoder to the epoch with the best validation loss; training stops `patience` epochs after it.

    Args:
        encoder: a model folder `data/models/<name>`: weights and tokenizer, or a hub.json.
        train: texts and their categories.
        validation: texts and their categories; those of categories that training does not have are left out.
        settings: the section `caption_classifier`.
        device: where the model is trained, `cpu` or `cuda`.

    Raises:
        UserError: there is no such model, it cannot classify texts, or no item is left for the validation.
    """
    set_seed(settings.seed)  # of the new layer's weights too
    classifier = _load_pretrained(Path(encoder), tuple(sorted(set(train[1]))), settings.max_tokens, device)
    training_rows, validation_rows = (
        _rows(classifier, *texts_and_categories) for texts_and_categories in (train, validation)
    )
    if not validation_rows:
        raise UserError(
            "data/prepared/items.parquet: no validation item is of a category that training items have; "
            "use more articles, or other filters in catalogue_prepare"
        )
    with tempfile.TemporaryDirectory(prefix="classifier-") as folder:
        trainer = Trainer(
            model=classifier.model,
            args=_arguments(folder, settings, device),
            train_dataset=training_rows,
            eval_dataset=validation_rows,
            data_collator=DataCollatorWithPadding(classifier.tokenizer),
            callbacks=[EarlyStoppingCallback(settings.patience)],
        )
        trainer.remove_callback(PrinterCallback)
        with _quiet():
            trainer.train()
    classifier.model.to(device).eval()
    return classifier


def load(folder: Path, categories: tuple[str, ...], device: str = "cpu") -> SequenceClassifier:
    """Load what `SequenceClassifier.save` wrote.

    Raises:
        UserError: it cannot be read, or has another number of categories.
    """
    model, tokenizer = _read(folder, None, device)
    if model.config.num_labels != len(categories):
        raise UserError(
            f"{folder}: {len(categories)} categories but {model.config.num_labels} logits; "
            "run `dvc repro -f caption_classifier`"
        )
    model.eval()
    return SequenceClassifier(categories, model, tokenizer, max_tokens=tokenizer.model_max_length)


def _load_pretrained(encoder: Path, categories: tuple[str, ...], max_tokens: int, device: str) -> SequenceClassifier:
    model, tokenizer = _read(encoder, len(categories), device)
    model.config.id2label = dict(enumerate(categories))
    model.config.label2id = {category: label for label, category in enumerate(categories)}
    longest = min(max_tokens, getattr(model.config, "max_position_embeddings", max_tokens))
    tokenizer.model_max_length = longest  # saved with the tokenizer, so that captions are cut like the training texts
    return SequenceClassifier(categories, model, tokenizer, longest)


def _read(folder: Path, labels: int | None, device: str) -> tuple[Any, PreTrainedTokenizerBase]:
    """Load model and tokenizer; `labels` is the size of a new last layer, None where the model has its own."""
    source = find_files(folder)
    disable_progress_bar()  # of loading single arrays
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    new = {} if labels is None else {"num_labels": labels}
    try:
        with _quiet():  # the last layer is new on purpose
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
    missing = [name for name in info["missing_keys"] if name.startswith(body) and ".pooler." not in name]
    if missing:  # transformers only warns, and continues with random weights; only the last layers may be new
        raise UserError(
            f"{folder}: {len(missing)} of its weights are not there, first {sorted(missing)[0]}; get the model again"
        )
    return model.to(device), tokenizer


def _rows(classifier: SequenceClassifier, texts: Sequence[str], categories: Sequence[str]) -> list[dict[str, Any]]:
    """Tokenize the texts of the classifier's categories: a row each, with its label."""
    label_of = {category: label for label, category in enumerate(classifier.categories)}
    pairs = [(text, label_of[name]) for text, name in zip(texts, categories, strict=True) if name in label_of]
    tokens = classifier.encode([text for text, _ in pairs]) if pairs else {}
    return [{name: tokens[name][row] for name in tokens} | {"labels": label} for row, (_, label) in enumerate(pairs)]


def _arguments(folder: str, settings: CaptionClassifier, device: str) -> TrainingArguments:
    arguments = TrainingArguments(
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
    arguments._n_gpu = min(arguments.n_gpu, 1)  # Trainer would make batches for all GPUs, at the same learning rate
    return arguments


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers, which reports each new layer and how it finds its own files."""
    logger = logging.getLogger("transformers")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
