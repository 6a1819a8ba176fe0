"""python -m captioning.train --captioner tiny-llava --family llava: a LoRA adapter for one captioner.

Trains on the split `train` of data/prepared, keeps the epoch with the lowest loss on `validation`, and goes on where it
was when it is killed. Reads data/models/<captioner>; writes data/adapters/<captioner>, metrics/train/<captioner>.json
and metrics/curves/<captioner>.csv.
"""

import argparse
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from pipeline.errors import UserError
from pipeline.names import check_name
from pipeline.outputs import write_json
from pipeline.params import Section, read
from pipeline.record import Meter
from pipeline.stage import done, run

ROOT = Path(__file__).parent.parent
ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
CODE = ("pipeline", "catalogue/images.py", "captioning/train.py", "captioning/training", "captioning/modelling")

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class CaptionTrain(Section):
    """The section `caption_train`; `batch_size` is reached in parts of `device_batch_size`."""

    device_batch_size: PositiveInt
    lora_alpha: PositiveInt
    lora_dropout: Share
    use_rslora: bool
    lora_scope: Literal["language", "all"]
    lr_min: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup: Share
    precision: Literal["fp32", "bf16"]
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
    caption_train: CaptionTrain

    @model_validator(mode="after")
    def _fit_together(self) -> "Params":
        section = self.caption_train
        if self.batch_size % section.device_batch_size:
            raise ValueError(
                f"caption_train.device_batch_size: {section.device_batch_size} does not divide batch_size: {self.batch_size}"
            )
        if section.lr_min > self.lr:
            raise ValueError(f"caption_train.lr_min: {section.lr_min:g} is above lr: {self.lr:g}")
        return self


def main() -> None:
    captioner, family = options()
    params = read(Params)
    model = Path("data/models") / captioner
    check_name("family", family, "captioning/families")
    check_inputs(model)

    from captioning.training.checkpoints import folder_for, sole_writer  # torch from here on: seconds
    from captioning.training.curves import write_curve
    from captioning.training.orphans import end_with_dvc
    from captioning.training.run import fine_tune, write_adapter

    end_with_dvc()
    folder = folder_for(captioner, params.model_dump(), [ITEMS, IMAGES, model, *code(family)])
    with sole_writer(folder):
        with Meter(params.caption_train.country) as meter:
            result = fine_tune(model, family, ITEMS, IMAGES, params, folder)
        write_adapter(result.best, Path("data/adapters") / captioner, model)
        write_curve(Path("metrics/curves") / f"{captioner}.csv", result.curve)
        metrics = result.metrics | spent(meter.record(), result.seconds_before)
        write_json(Path("metrics/train") / f"{captioner}.json", metrics)
        shutil.rmtree(folder)
    done(
        f"wrote data/adapters/{captioner}: validation loss {metrics['validation_loss']:.3f} after epoch {metrics['best_epoch']} "
        f"of {metrics['epochs']} ({metrics['steps']} steps, {metrics['seconds']:.0f} s)"
    )


def options() -> tuple[str, str]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captioner", required=True, help="a folder under data/models/")
    parser.add_argument("--family", required=True, help="a module of captioning/families/")
    given = parser.parse_args()
    return given.captioner, given.family


def check_inputs(model: Path) -> None:
    """Raises UserError for what is missing, before anything heavy is loaded."""
    for path, remedy in [
        (ITEMS, "run `dvc repro catalogue_prepare`"),
        (IMAGES, "run `dvc repro catalogue_prepare`"),
        (model, "see `captioners` in params.yaml; each has a folder with its weights, or with a hub.json"),
    ]:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; {remedy}")


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
