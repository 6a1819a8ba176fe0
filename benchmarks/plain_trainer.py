"""Fine-tuning by transformers' Trainer and peft, as in their examples: the peer of `benchmarks/fine_tuning.py`."""

from pathlib import Path
from typing import Any


def train(params: Any, items: Path, images: Path, model: Path, folder: Path, tokens: int | None) -> Path:
    """Train the captioner with our adapter; `tokens` pads every caption to that length.

    Returns:
        The folder of the last adapter.
    """
    import torch
    from transformers import Trainer, TrainingArguments

    from captioning.modelling import collate
    from captioning.training import fine_tuning
    from captioning.training.examples import read_split
    from catalogue.prepared.images import ImageStore

    fine_tuning.prepare_torch(params)
    captioner, section = fine_tuning.load_with_adapter(model, "blip2_opt", params), params.caption_train
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=params.epochs,
        per_device_train_batch_size=params.machine.device_batch_size,
        per_device_eval_batch_size=params.machine.device_batch_size,
        gradient_accumulation_steps=params.batch_size // params.machine.device_batch_size,
        learning_rate=params.lr,
        lr_scheduler_type="cosine",
        warmup_steps=section.warmup,
        weight_decay=section.weight_decay,
        seed=params.seed,
        use_cpu=params.device == "cpu",
        bf16=section.precision == "bf16",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=False,
    )
    store, dtype = ImageStore(images), captioner.base.dtype
    training, validation = (
        DecodedImages(captioner, store, read_split(items, split)) for split in ("train", "validation")
    )

    def batch(rows: list[tuple[Any, Any]]) -> dict[str, torch.Tensor]:
        tensors = collate([row[0] for row in rows], [row[1] for row in rows], captioner.pad_id)
        tensors["pixel_values"] = tensors["pixel_values"].to(dtype)
        return tensors if tokens is None else pad(tensors, tokens, captioner.pad_id)

    data: dict[str, Any] = {"train_dataset": training, "eval_dataset": validation, "data_collator": batch}
    Trainer(captioner.model, arguments, **data).train()
    captioner.model.save_pretrained(folder / "adapter")
    return folder / "adapter"


class DecodedImages:
    """A dataset that decodes and prepares an image at each access, as in the examples of transformers."""

    def __init__(self, captioner: Any, images: Any, items: Any) -> None:
        self.captioner, self.images = captioner, images
        self.ids, self.captions = items["item_id"].tolist(), items["description"].tolist()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> tuple[Any, Any]:
        from captioning.modelling import make_example, prepare_images, tokenize

        image = prepare_images(self.captioner, [self.images[self.ids[row]]])[0]
        return make_example(self.captioner, image, tokenize(self.captioner, [self.captions[row]])[0]), image


def pad(batch: dict[str, Any], tokens: int, pad_id: int) -> dict[str, Any]:
    """Pad a batch to a fixed length: (rows, tokens)."""
    from torch.nn import functional

    fill = {"input_ids": pad_id, "attention_mask": 0, "labels": -100}
    missing = tokens - batch["input_ids"].shape[1]
    return batch | {name: functional.pad(batch[name], (0, missing), value=value) for name, value in fill.items()}
