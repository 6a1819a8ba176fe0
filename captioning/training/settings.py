"""The section `caption_train`, and the root keys that training reads."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from pipeline.core.params import Section

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class CaptionTrain(Section):
    """The section `caption_train`: each process computes `batch_size` in parts of `device_batch_size`."""

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
    """The parameters that the stage reads."""

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
        for key, value, reason in [
            ("quantization", "nf4", "4-bit weights cannot be shared out: use none"),
            (
                "device_batch_size",
                "auto",
                "if one process runs out of memory, the others would wait for ever: give a number",
            ),
        ]:
            if getattr(section, key) == value:
                return f"caption_train.{key}: {value} does not go with sharding: fsdp; {reason}"
        return ""
