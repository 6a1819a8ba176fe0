"""The section `machine`: how a machine does the work, which changes results by rounding and draws of dropout alone.

No `params:` of dvc.yaml names it and no checkpoint key holds it, so a colleague with more cores retrains nothing.
docs/captioners.md says for each key whether results keep their bytes, and records of runs name the values.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from pipeline.core.params import Section

MACHINE = "machine"  # the name of the section: what dvc.yaml and checkpoint keys leave out


@dataclass(frozen=True)
class Where:
    """Where the files of a piece of work are made (`pipeline.cluster`).

    Attributes:
        cluster: none (this process) or ray.
        threads: CPU threads of a process.
        device: cuda gives each process of a cluster one GPU.
    """

    cluster: Literal["none", "ray"] = "none"
    threads: int = 1
    device: Literal["cpu", "cuda"] = "cpu"


HERE = Where()


class Machine(Section):
    """Section `machine`."""

    threads: PositiveInt
    processes: PositiveInt
    device_batch_size: PositiveInt | Literal["auto"]
    gradient_checkpointing: bool
    sharding: Literal["none", "fsdp"]
    checkpoint_steps: Annotated[int, Field(gt=0)]
    cluster: Literal["none", "ray"]

    def where(self, device: Literal["cpu", "cuda"] = "cpu") -> Where:
        """Return where files are made; `device` is the study's where a GPU does the work."""
        return Where(self.cluster, self.threads, device)
