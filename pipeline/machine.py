"""The section `machine`: how a machine does the work, which no result depends on beyond rounding.

No `params:` of dvc.yaml names it and no checkpoint key holds it, so a colleague with more cores retrains nothing.
docs/captioners.md says for each key whether results keep their bytes or are equal to rounding.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from pipeline.core.params import Section

MACHINE = "machine"  # the name of the section: what dvc.yaml and checkpoint keys leave out


class Machine(Section):
    """Section `machine`."""

    threads: PositiveInt
    processes: PositiveInt
    device_batch_size: PositiveInt | Literal["auto"]
    gradient_checkpointing: bool
    sharding: Literal["none", "fsdp"]
    checkpoint_steps: Annotated[int, Field(gt=0)]
