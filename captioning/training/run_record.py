"""The run record of a training: its figures, which DVC shows as metrics, and facts, which it does not."""

from pathlib import Path
from typing import Any

from pipeline.core.outputs import write_json

FACTS = (
    "trainable_parameters",
    "model_class",
    "image_processor",
    "tokenizer",
    "image_tokens",
    "parameters",
    "device_batch_size",
    "processes",
    "threads",
    "country",
    "hardware",
)


def write_run_record(path: Path, values: dict[str, Any]) -> None:
    """Writes figures as they are, and facts as the only member of the list `facts`.

    DVC reads no list as a metric, so that its tables of experiments have no columns of constants.
    """
    figures = {name: value for name, value in values.items() if name not in FACTS}
    facts = {name: values[name] for name in FACTS if name in values}
    write_json(path, figures | ({"facts": [facts]} if facts else {}))
