"""caption_generate resumes where it was killed: the captions are the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from captioning import generate
from captioning.families import llava
from catalogue.prepared.items import read_items
from pipeline.checkpoints import checkpoint_folder
from pipeline.core.errors import UserError
from pipeline.core.params import read
from tests.helpers.generation import Project, run_stage, save_adapter


def test_a_run_that_was_killed_resumes_at_its_next_batch(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project("llava", {"caption_generate.batch_size": 2})
    run_stage(monkeypatch, "llava")
    expected, calls = Path("data/captions/tiny-pt.parquet").read_bytes(), []
    Path("data/captions/tiny-pt.parquet").unlink()
    real = llava.generate

    def dies(captioner: Any, images: Any, max_new_tokens: int) -> Any:
        calls.append(len(images))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(captioner, images, max_new_tokens)

    monkeypatch.setattr(llava, "generate", dies)
    with pytest.raises(KeyboardInterrupt):
        run_stage(monkeypatch, "llava")
    assert not Path("data/captions/tiny-pt.parquet").exists()
    run_stage(monkeypatch, "llava")
    assert calls == [2, 2, 2, 2]  # the first batch once, the interrupted batch again
    assert Path("data/captions/tiny-pt.parquet").read_bytes() == expected
    assert list(Path(".checkpoints").iterdir()) == []


def test_captions_of_finished_epochs_outlive_a_run_that_was_killed(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it ends in an epoch or after all of them; DVC removes the outputs before it runs a stage again."""
    tiny_project("llava")
    for name in ("adapter", "adapter/epochs/1", "adapter/epochs/2"):
        save_adapter("llava", Path(name))
    run_stage(monkeypatch, "llava", "adapter")
    expected, calls = read_captions(), [0]
    assert len(expected) == 3
    real = llava.generate

    def dies(captioner: Any, images: Any, max_new_tokens: int) -> Any:
        calls[0] += 1
        if calls[0] in (2, 4):  # in epoch 2, and in the last captioning
            raise KeyboardInterrupt
        return real(captioner, images, max_new_tokens)

    monkeypatch.setattr(llava, "generate", dies)
    for n_calls in (2, 4):
        shutil.rmtree("data/captions")
        with pytest.raises(KeyboardInterrupt):
            run_stage(monkeypatch, "llava", "adapter")
        assert calls == [n_calls]
    run_stage(monkeypatch, "llava", "adapter")
    assert calls == [6]  # each batch once, and those two again
    assert read_captions() == expected
    assert list(Path(".checkpoints").iterdir()) == []


def read_captions() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path("data/captions").rglob("*.parquet")}


@pytest.mark.slow
def test_a_run_resumes_from_what_sigkill_leaves(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("llava", {"caption_generate.batch_size": 2})
    code = (
        "import os, signal, sys\n"
        "from captioning import generate\n"
        "from captioning.families import llava\n"
        "real, calls = llava.generate, []\n"
        "def dies(*arguments):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(*arguments)\n"
        "llava.generate = dies\n"
        "sys.argv = ['generate', '--captioner', 'tiny', '--family', 'llava']\n"
        "generate.main()"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -9
    sizes: list[int] = []
    real = llava.generate
    monkeypatch.setattr(
        llava, "generate", lambda captioner, images, n: (sizes.append(len(images)), real(captioner, images, n))[1]
    )
    table = run_stage(monkeypatch, "llava")
    assert sizes == [2]  # two of three batches were finished
    sizes.clear()
    pd.testing.assert_frame_equal(run_stage(monkeypatch, "llava"), table)
    assert sizes == [2, 2, 2]


def test_another_parameter_never_meets_batches_of_the_last_one(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project("llava")
    folders = []
    for precision, cluster in (("fp32", "none"), ("bf16", "none"), ("fp32", "ray")):
        params = read(generate.Params)
        params = params.model_copy(update={"machine": params.machine.model_copy(update={"cluster": cluster})})
        section = params.caption_generate.model_copy(update={"precision": precision})
        changed = params.model_copy(update={"caption_generate": section})
        folders.append(generate.name_work_folder(Path("data/models/tiny"), "llava", None, ["1"], changed))
    assert folders[0] != folders[1]
    assert folders[0] == folders[2]  # a single process may finish what a cluster began
    assert (
        generate.name_work_folder(Path("data/models/tiny"), "llava", None, ["2"], read(generate.Params)) not in folders
    )


def test_a_second_writer_is_refused(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("llava")
    ids = generate.choose_items(read_items(generate.ITEMS, ["item_id", "description", "split"]))
    folder = generate.name_work_folder(Path("data/models/tiny"), "llava", None, ids, read(generate.Params))
    with checkpoint_folder(folder), pytest.raises(UserError, match=f"process {os.getpid()} is working here"):
        run_stage(monkeypatch, "llava")
