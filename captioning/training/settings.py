"""The section `caption_train`, and the root keys that training reads."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from pipeline.core.params import Section
from pipeline.core.record import check_country
from pipeline.machine import Machine

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class CaptionTrain(Section):
    """Section `caption_train`."""

    lora_alpha: PositiveInt
    lora_dropout: Share
    use_rslora: bool
    lora_scope: Literal["language", "all"]
    lr_min: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup: Share
    precision: Literal["fp32", "bf16"]
    quantization: Literal["none", "nf4"]
    cache_features: bool
    patience: PositiveInt
    keep_epochs: bool
    country: Annotated[str, AfterValidator(check_country)]


class Params(Section):
    """The parameters that the stage reads."""

    lr: Positive
    batch_size: PositiveInt
    epochs: PositiveInt
    lora_rank: PositiveInt
    lora_layers: Literal["query-value", "all-linear"]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    device: Literal["cpu", "cuda"]
    machine: Machine
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
        size, batch, processes = self.machine.device_batch_size, self.batch_size, self.machine.processes
        if batch % processes:
            return f"machine.processes: {processes} does not divide batch_size: {batch}"
        if size != "auto" and batch // processes % size:
            on_each = f" / machine.processes: {processes}" if processes > 1 else ""
            return f"machine.device_batch_size: {size} does not divide batch_size: {batch}{on_each}"
        return ""

    def _sharding_problem(self) -> str:
        if self.machine.sharding == "none":
            return ""
        if self.machine.processes == 1:
            return "machine.sharding: fsdp shares weights among processes, but machine.processes: 1"
        if self.caption_train.quantization == "nf4":
            key, reason = "caption_train.quantization: nf4", "4-bit weights cannot be shared out: use none"
        elif self.machine.device_batch_size == "auto":
            key = "machine.device_batch_size: auto"
            reason = "if one process runs out of memory, the others would wait for ever: give a number"
        else:
            return ""
        return f"{key} does not go with machine.sharding: fsdp; {reason}"
