"""python -m captioning.train --captioner tiny-llava --family llava: a LoRA adapter for one captioner.

Trains on the split `train` of data/prepared, keeps the epoch with the lowest loss on `validation`, and goes on where it
was when it is killed. Reads data/models/<captioner>; writes data/adapters/<captioner>, metrics/train/<captioner>.json,
metrics/curves/<captioner>.csv and data/samples/<captioner>.csv (what it said of a few validation items after each epoch).

With `processes: N` it starts N processes, one for each GPU, as `torchrun --nproc_per_node N -m captioning.train …` does.
On two machines with eight GPUs each, which share their disk (`processes: 16`), on both of them:
torchrun --nnodes 2 --nproc_per_node 8 --rdzv_backend c10d --rdzv_endpoint HOST:29500 -m captioning.train …
"""

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioning.training.settings import Params
from pipeline.checkpoints import lock_folder
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_json
from pipeline.core.params import read
from pipeline.core.stage import print_summary, run
from pipeline.model_folders import MODELS, check_folder
from pipeline.names import ROOT, check_name
from pipeline.orphans import end_with_dvc
from pipeline.processes import is_distributed, rank, share
from pipeline.record import Meter

if TYPE_CHECKING:
    from captioning.training.fine_tuning import Result

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
FILE = "file"  # the family that has captions and no model
CODE = (
    "pipeline",
    "catalogue/prepared/images.py",
    "catalogue/prepared/items.py",
    "captioning/train.py",
    "captioning/training",
    "captioning/modelling",
)


def main() -> None:
    captioner, family = options()
    params = read(Params)
    model = MODELS / captioner
    check_name("family", family, "captioning/families")
    check_inputs(model, family)
    if family == FILE:
        from captioning.training.untrained import write_untrained

        write_untrained(*outputs(captioner))
        print_summary(
            f"wrote data/adapters/{captioner}: a note that there is nothing to train, because its captions come from a file"
        )
        return
    if not is_distributed():
        end_with_dvc()
    share(params.processes, "captioning.train")

    from captioning.training.checkpoints import folder_for  # torch from here on: seconds
    from captioning.training.fine_tuning import fine_tune

    folder = folder_for(captioner, params.model_dump(), [ITEMS, IMAGES, model, *code(family)])
    if rank():
        fine_tune(model, family, ITEMS, IMAGES, params, folder)
        return
    with lock_folder(folder):
        with Meter(params.caption_train.country) as meter:
            result = fine_tune(model, family, ITEMS, IMAGES, params, folder)
        metrics = result.metrics | spent(meter.record(), result.seconds_before) | meter.where_it_ran()
        write(result, metrics, captioner, model)
        shutil.rmtree(folder)
    print_summary(
        f"wrote data/adapters/{captioner}: validation loss {metrics['validation_loss']:.3f} after epoch {metrics['best_epoch']} "
        f"of {metrics['epochs']} ({metrics['steps']} steps, {metrics['seconds']:.0f} s)"
    )


def write(result: "Result", metrics: dict[str, Any], captioner: str, model: Path) -> None:
    from captioning.training.fine_tuning import write_adapter
    from captioning.training.history import write_curve, write_samples

    adapter, record, curve, samples = outputs(captioner)
    write_adapter(result.best, adapter, model)
    write_samples(samples, result.samples)
    write_curve(curve, result.curve)
    write_json(record, metrics)


def outputs(captioner: str) -> tuple[Path, Path, Path, Path]:
    """Adapter, metrics, curve and samples."""
    return (
        Path("data/adapters") / captioner,
        Path("metrics/train") / f"{captioner}.json",
        Path("metrics/curves") / f"{captioner}.csv",
        Path("data/samples") / f"{captioner}.csv",
    )


def options() -> tuple[str, str]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captioner", required=True, help="a folder under data/models/")
    parser.add_argument("--family", required=True, help="a module of captioning/families/")
    given = parser.parse_args()
    return given.captioner, given.family


def check_inputs(model: Path, family: str) -> None:
    """Raises UserError for what is missing, before anything heavy is loaded."""
    for path in (ITEMS, IMAGES):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; run `dvc repro catalogue_prepare`")
    if family == FILE and not model.is_dir():
        raise UserError(f"{model}: no such folder; a captioner of family {FILE} has its captions there")
    if family != FILE:
        check_folder(model)


def code(family: str) -> list[Path]:
    """Files and folders of code that this cell's result depends on, as `deps` in dvc.yaml has them."""
    return [path for name in (*CODE, f"captioning/families/{family}.py") if (path := ROOT / name).exists()]


def spent(record: dict[str, float], seconds_before: float) -> dict[str, Any]:
    """The run record with what was spent before the last resume.

    Energy of a part that was killed could not be read; it is taken to have drawn the power of the last one.
    """
    share = (record["seconds"] + seconds_before) / record["seconds"]
    return {name: value * share for name, value in record.items()}


if __name__ == "__main__":
    run(main)
