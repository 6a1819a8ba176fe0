"""python -m captioning.train --captioner tiny-llava --family llava: a LoRA adapter for a captioner.

Trains on the split `train` of data/prepared and keeps the epoch with the lowest loss on `validation`. A run that was
killed resumes at its last checkpoint. Reads data/models/<captioner>; writes data/adapters/<captioner>,
metrics/train/<captioner>.json, metrics/curves/<captioner>.csv and data/samples/<captioner>.csv (captions of a few
validation items after each epoch).

With `processes: N` it starts N processes, one per GPU, as `torchrun --nproc_per_node N -m captioning.train …` does.
docs/captioners.md has the command for several machines.
"""

import argparse
from pathlib import Path

from captioning.training.outputs import OutputPaths, with_earlier_cost, write_outputs, write_untrained
from captioning.training.settings import Params
from pipeline.captioners import check_captioner
from pipeline.checkpoints import checkpoint_folder
from pipeline.core.errors import UserError
from pipeline.core.params import read
from pipeline.core.record import Meter, record_costs_by_hand
from pipeline.core.stage import print_summary, run
from pipeline.machine import MACHINE
from pipeline.model_folders import MODELS, check_folder
from pipeline.names import ROOT, check_name
from pipeline.orphans import end_with_dvc
from pipeline.processes import is_distributed, rank, share

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
ADAPTERS = Path("data/adapters")
SAMPLES = Path("data/samples")
METRICS = Path("metrics/train")
CURVES = Path("metrics/curves")
FILE = "file"  # the family that has captions and no model
CODE = (  # with the family's file, what the result depends on: the code in `deps` of dvc.yaml
    *(f"pipeline/{name}.py" for name in ("batches", "captioners", "checkpoints", "machine", "model_folders", "names")),
    *(f"pipeline/{name}" for name in ("core", "orphans.py", "prefetch.py", "processes.py")),
    *("catalogue/prepared", "captioning/train.py", "captioning/modelling", "captioning/training"),
)


def main() -> None:
    """Trains a captioner and writes its adapter, metrics, curve and samples."""
    captioner, family = parse_options()
    params = read(Params)
    model = MODELS / captioner
    paths = OutputPaths(
        ADAPTERS / captioner, METRICS / f"{captioner}.json", CURVES / f"{captioner}.csv", SAMPLES / f"{captioner}.csv"
    )
    check_captioner(captioner)
    check_name("family", family, "captioning/families")
    check_inputs(model, family)
    if family == FILE:
        write_untrained(paths)
        record_costs_by_hand(f"caption_train@{captioner}")
        print_summary(
            f"wrote {paths.adapter}: a note; the captions of this captioner come from a file, nothing is trained"
        )
        return
    if not is_distributed():
        end_with_dvc()
    share(params.machine.processes, "captioning.train")

    from captioning.training.checkpoints import name_run_folder  # torch from here on: seconds
    from captioning.training.fine_tuning import fine_tune

    code = [ROOT / name for name in (*CODE, f"captioning/families/{family}.py")]
    folder = name_run_folder(captioner, params.model_dump(exclude={MACHINE}), [ITEMS, IMAGES, model, *code])
    if rank():
        fine_tune(model, family, ITEMS, IMAGES, params, folder)
        return
    with checkpoint_folder(folder):
        with Meter(params.caption_train.country) as meter:
            result = fine_tune(model, family, ITEMS, IMAGES, params, folder)
        metrics = result.metrics | with_earlier_cost(meter.record(), result.seconds_before) | meter.where_it_ran()
        write_outputs(result, metrics, model, paths)
        record_costs_by_hand(f"caption_train@{captioner}", meter if params.device == "cuda" else None)
    print_summary(
        f"wrote {paths.adapter}: validation loss {metrics['validation_loss']:.3f} after epoch {metrics['best_epoch']} "
        f"of {metrics['epochs']} ({metrics['steps']} steps, {metrics['seconds']:.0f} s)"
    )


def parse_options() -> tuple[str, str]:
    """Returns the captioner and its family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captioner", required=True, help="a folder under data/models/")
    parser.add_argument("--family", required=True, help="a module of captioning/families/")
    options = parser.parse_args()
    return options.captioner, options.family


def check_inputs(model: Path, family: str) -> None:
    """Refuses missing inputs before anything heavy is loaded.

    Raises:
        UserError: an input is missing.
    """
    for path in (ITEMS, IMAGES):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; run `dvc repro catalogue_prepare`")
    if family == FILE and not model.is_dir():
        raise UserError(f"{model}: no such folder; put the captions of this captioner of family {FILE} there")
    if family != FILE:
        check_folder(model)


if __name__ == "__main__":
    run(main)
