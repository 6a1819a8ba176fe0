"""The command of docs/cluster.md for SLURM, without `srun`, on two hosts: the stage uses both."""

import os
import secrets
import sys
from pathlib import Path

import pytest

from tests.helpers.hosts import make_two_hosts
from tests.helpers.ray_nodes import needs_ray
from tests.helpers.repository import ROOT

pytestmark = needs_ray
WORK = """
import time
import ray
from pipeline.core.outputs import new_file

def open_addresses():
    def write(parts):
        for path in parts:
            with new_file(path) as partial:
                time.sleep(1)
                partial.write_text(ray.util.get_node_ip_address())
    return write
"""
STAGE = """
from pathlib import Path
from pipeline.cluster import make_files
from pipeline.machine import Where
from work import open_addresses

make_files({Path("out") / f"{number}.txt": number for number in range(8)}, open_addresses, where=Where("ray", 1))
"""


def read_command(head: str) -> str:
    """Return the documented command, for two hosts of one CPU."""
    lines = (ROOT / "docs/cluster.md").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("srun ray symmetric-run"))
    text = " ".join(line.rstrip("\\").strip() for line in lines[first : first + 2]).removeprefix("srun ")
    for old, new in {
        "$head": head,
        "--min-nodes 8": "--min-nodes 2",
        "--num-cpus 64 --num-gpus 8": "--num-cpus 1 --object-store-memory 80000000",
        "dvc repro caption_generate_ft": f"{sys.executable} stage.py",
    }.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.timeout(600)
def test_the_documented_command_uses_both_hosts(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "work.py").write_text(WORK)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{tmp_path}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    with make_two_hosts() as hosts:
        head = hosts.addresses[0]
        ended = hosts.run_everywhere(read_command(head), environment, tmp_path, 500)
    status, said = ended[head]
    assert status == 0, said[-4_000:]
    assert f"Ray: the cluster at {head}:6379: 2 node(s), 2 CPU, 0 GPU" in said
    assert {(tmp_path / f"out/{number}.txt").read_text() for number in range(8)} == set(hosts.addresses)
