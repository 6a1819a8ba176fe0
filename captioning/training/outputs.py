"""The outputs of a training run: adapter, metrics, curve and samples."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioning.training.history import write_curve, write_samples
from captioning.training.run_record import write_run_record
from pipeline.core.outputs import new_folder, write_json

if TYPE_CHECKING:
    from captioning.training.fine_tuning import Result

NOTE = "No adapter: the captions of this captioner were made elsewhere, and nothing is trained.\n"
UNTRAINED_METRICS = {
    "epochs": 0,
    "steps": 0,
    "seconds": 0.0,
    "kwh": 0.0,
    "kg_co2": 0.0,
    "skipped": ["training: a captioner of family file has captions and no model"],
}


@dataclass(frozen=True)
class OutputPaths:
    """The folder of the adapter, and the files of metrics, curve and samples."""

    adapter: Path
    metrics: Path
    curve: Path
    samples: Path


def write_outputs(result: "Result", metrics: dict[str, Any], model: Path, paths: OutputPaths) -> None:
    """Writes every output of a run, the metrics last."""
    write_adapter(result.best, paths.adapter, model, result.epochs)
    write_samples(paths.samples, result.samples)
    write_curve(paths.curve, result.curve)
    write_run_record(paths.metrics, metrics)


def write_adapter(best: Path, folder: Path, model: Path, epochs: Mapping[int, Path]) -> None:
    """Writes the adapter of the best epoch, and those that were kept of every epoch to `epochs/<number>/`.

    Args:
        best: The checkpoint of the best epoch.
        folder: Where the adapter goes.
        model: Folder of the pre-trained captioner.
        epochs: Epoch -> a folder with its adapter.
    """
    with new_folder(folder) as partial:
        _copy_adapter(best, partial, model)
        for number, kept in epochs.items():
            (partial / "epochs" / str(number)).mkdir(parents=True)
            _copy_adapter(kept, partial / "epochs" / str(number), model)


def _copy_adapter(checkpoint: Path, folder: Path, model: Path) -> None:
    """Copies an adapter; its config leaves out what differs between machines."""
    config = json.loads((checkpoint / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = model.as_posix()
    (folder / "adapter_model.safetensors").write_bytes((checkpoint / "adapter_model.safetensors").read_bytes())
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")


def write_untrained(paths: OutputPaths) -> None:
    """Writes the outputs of a captioner of family `file`: a note, metrics of no cost, and tables without rows."""
    with new_folder(paths.adapter) as partial:
        (partial / "README.txt").write_text(NOTE, encoding="utf-8")
    write_json(paths.metrics, UNTRAINED_METRICS)
    write_curve(paths.curve, [])
    write_samples(paths.samples, [])


def with_earlier_cost(record: dict[str, float], seconds_before: float) -> dict[str, Any]:
    """Adds the cost of the run before it was resumed to its record of seconds, energy and emissions.

    The energy of a part that was killed is unknown: it is estimated at the power of the last part.

    >>> with_earlier_cost({"seconds": 10.0, "kwh": 0.2}, seconds_before=30.0)
    {'seconds': 40.0, 'kwh': 0.8}
    """
    share = (record["seconds"] + seconds_before) / record["seconds"]
    return {name: value * share for name, value in record.items()}
