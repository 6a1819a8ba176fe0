"""The outputs of training for a captioner without a model: captions that were made elsewhere (family `file`)."""

from pathlib import Path

from captioning.training.history import write_curve, write_samples
from pipeline.core.outputs import new_folder, write_json

NOTE = "No adapter: the captions of this captioner were made elsewhere, and nothing is trained.\n"
METRICS = {
    "epochs": 0,
    "steps": 0,
    "seconds": 0.0,
    "kwh": 0.0,
    "kg_co2": 0.0,
    "skipped": ["training: a captioner of family file has captions and no model"],
}


def write_untrained(adapter: Path, metrics: Path, curve: Path, samples: Path) -> None:
    """A folder with a note, a record of nothing spent, and tables without rows, so that whatever reads them finds them."""
    with new_folder(adapter) as partial:
        (partial / "README.txt").write_text(NOTE, encoding="utf-8")
    write_json(metrics, METRICS)
    write_curve(curve, [])
    write_samples(samples, [])
