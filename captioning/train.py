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
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from captioning.training.orphans import end_with_dvc
from pipeline.checkpoints import sole_writer
from pipeline.errors import UserError
from pipeline.models import MODELS, check_folder
from pipeline.names import ROOT, check_name
from pipeline.outputs import write_json
from pipeline.params import Section, read
from pipeline.processes import rank, share, shared
from pipeline.record import Meter
from pipeline.stage import done, run

if TYPE_CHECKING:
    from captioning.training.run import Result

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
FILE = "file"  # the family that has captions and no model
CODE = (
    "pipeline",
    "catalogue/images.py",
    "catalogue/items.py",
    "captioning/train.py",
    "captioning/training",
    "captioning/modelling",
)

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class CaptionTrain(Section):
    """The section `caption_train`; `batch_size` is reached in parts of `device_batch_size` on each process."""

    device_batch_size: PositiveInt | Literal["auto"]
    lora_alpha: PositiveInt
    lora_dropout: Share
    use_rslora: bool
    lora_scope: Literal["language", "all"]
    lr_min: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup: Share
    precision: Literal["fp32", "bf16"]
    quantization: Literal["none", "nf4"]
    gradient_checkpointing: bool
    sharding: Literal["none", "fsdp"]
    cache_features: bool
    patience: PositiveInt
    checkpoint_steps: PositiveInt
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


class Params(Section):
    """What this stage reads."""

    lr: Positive
    batch_size: PositiveInt
    epochs: PositiveInt
    lora_rank: PositiveInt
    lora_layers: Literal["query-value", "all-linear"]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    device: Literal["cpu", "cuda"]
    threads: PositiveInt
    processes: PositiveInt
    caption_train: CaptionTrain

    @model_validator(mode="after")
    def _fit_together(self) -> "Params":
        problems = [problem for problem in (self._batch_problem(), self._sharding_problem()) if problem]
        if self.caption_train.lr_min > self.lr:
            problems.append(f"caption_train.lr_min: {self.caption_train.lr_min:g} is above lr: {self.lr:g}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _batch_problem(self) -> str:
        size, batch, processes = self.caption_train.device_batch_size, self.batch_size, self.processes
        if batch % processes:
            return f"processes: {processes} does not divide batch_size: {batch}"
        if size != "auto" and batch // processes % size:
            on_each = f" / processes: {processes}" if processes > 1 else ""
            return f"caption_train.device_batch_size: {size} does not divide batch_size: {batch}{on_each}"
        return ""

    def _sharding_problem(self) -> str:
        section = self.caption_train
        if section.sharding == "none":
            return ""
        if self.processes == 1:
            return "caption_train.sharding: fsdp shares weights among processes, but processes: 1"
        for key, value, instead in [
            ("quantization", "nf4", "4-bit weights cannot be shared out: use none"),
            (
                "device_batch_size",
                "auto",
                "processes that run out of memory one by one would wait for ever: give a number",
            ),
        ]:
            if getattr(section, key) == value:
                return f"caption_train.{key}: {value} does not go with sharding: fsdp; {instead}"
        return ""


def main() -> None:
    captioner, family = options()
    params = read(Params)
    model = MODELS / captioner
    check_name("family", family, "captioning/families")
    check_inputs(model, family)
    if family == FILE:
        from captioning.training.untrained import write_untrained

        write_untrained(*outputs(captioner))
        done(
            f"wrote data/adapters/{captioner}: a note that there is nothing to train, because its captions come from a file"
        )
        return
    if not shared():
        end_with_dvc()
    share(params.processes, "captioning.train")

    from captioning.training.checkpoints import folder_for  # torch from here on: seconds
    from captioning.training.run import fine_tune

    folder = folder_for(captioner, params.model_dump(), [ITEMS, IMAGES, model, *code(family)])
    if rank():
        fine_tune(model, family, ITEMS, IMAGES, params, folder)
        return
    with sole_writer(folder):
        with Meter(params.caption_train.country) as meter:
            result = fine_tune(model, family, ITEMS, IMAGES, params, folder)
        metrics = result.metrics | spent(meter.record(), result.seconds_before) | meter.place()
        write(result, metrics, captioner, model)
        shutil.rmtree(folder)
    done(
        f"wrote data/adapters/{captioner}: validation loss {metrics['validation_loss']:.3f} after epoch {metrics['best_epoch']} "
        f"of {metrics['epochs']} ({metrics['steps']} steps, {metrics['seconds']:.0f} s)"
    )


def write(result: "Result", metrics: dict[str, Any], captioner: str, model: Path) -> None:
    from captioning.training.curves import write_curve, write_samples
    from captioning.training.run import write_adapter

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
