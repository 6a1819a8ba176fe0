"""The section `caption_generate`, and the root keys that captioning reads."""

from typing import Literal

from pydantic import PositiveInt

from pipeline.core.params import Section
from pipeline.machine import Machine


class CaptionGenerate(Section):
    """The section `caption_generate`."""

    max_new_tokens: PositiveInt
    batch_size: PositiveInt
    precision: Literal["fp32", "bf16"]
    quantization: Literal["none", "nf4"]


class Params(Section):
    """The parameters that the stage reads."""

    device: Literal["cpu", "cuda"]
    machine: Machine
    caption_generate: CaptionGenerate
