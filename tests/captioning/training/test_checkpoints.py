"""Checkpoints: a folder per run, whole or absent, damaged checkpoints, and one writer."""

import json
import os
from pathlib import Path

import pytest

from captioning.training import checkpoints
from pipeline.checkpoints import lock_folder
from pipeline.core.errors import UserError


def save(folder: Path, step: int, evaluations: dict[int, float], keep_epochs: bool = False) -> None:
    with checkpoints.new_checkpoint(folder, step, keep_epochs) as partial:
        (partial / "weights").write_text(f"weights at {step}")
        for name in checkpoints.ADAPTER:
            (partial / name).write_text(f"{name} at {step}")
        history = [{"eval_loss": loss, "step": at} for at, loss in evaluations.items()]
        (partial / checkpoints.STATE).write_text(json.dumps({"log_history": history}))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_two_and_the_best_are_kept(tmp_path: Path) -> None:
    save(tmp_path, 10, {10: 1.0})
    save(tmp_path, 15, {10: 1.0})
    save(tmp_path, 20, {10: 1.0, 20: 2.0})
    save(tmp_path, 100, {10: 1.0, 20: 2.0, 100: 3.0})
    assert names(tmp_path) == ["checkpoint-10", "checkpoint-100", "checkpoint-20"]
    assert checkpoints.find_latest(tmp_path) == tmp_path / "checkpoint-100"
    assert checkpoints.find_best(tmp_path / "checkpoint-100") == tmp_path / "checkpoint-10"


def test_the_one_before_can_stand_alone_when_the_last_was_a_new_best(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path, 10, {10: 1.0})
    save(tmp_path, 15, {10: 1.0})
    save(tmp_path, 20, {10: 1.0, 20: 0.5})
    (tmp_path / "checkpoint-20" / "weights").write_text("weights at 2o")
    latest = checkpoints.find_latest(tmp_path)
    assert latest == tmp_path / "checkpoint-15"
    assert (checkpoints.find_best(latest) / "weights").read_text() == "weights at 10"
    assert "checkpoint-20 is damaged" in caplog.text


@pytest.mark.parametrize("damage", ["shortened", "file gone", "no manifest", "manifest is no json"])
def test_a_damaged_checkpoint_is_named_and_left_for_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path, 1, {})
    save(tmp_path, 2, {})
    last = tmp_path / "checkpoint-2"
    if damage == "shortened":
        (last / "weights").write_text("wei")
    elif damage == "file gone":
        (last / "weights").unlink()
    elif damage == "no manifest":
        (last / checkpoints.MANIFEST).unlink()
    else:
        (last / checkpoints.MANIFEST).write_text("{")
    assert checkpoints.find_latest(tmp_path) == tmp_path / "checkpoint-1"
    assert str(last) in caplog.text


def test_without_its_best_epoch_a_checkpoint_is_of_no_use(tmp_path: Path) -> None:
    save(tmp_path, 10, {10: 1.0})
    save(tmp_path, 20, {10: 1.0, 20: 2.0})
    (tmp_path / "checkpoint-10" / "weights").unlink()
    assert checkpoints.find_latest(tmp_path) is None


def test_what_was_not_finished_does_not_count(tmp_path: Path) -> None:
    save(tmp_path, 1, {})
    (tmp_path / "checkpoint-2.partial").mkdir()
    with pytest.raises(RuntimeError), checkpoints.new_checkpoint(tmp_path, 3):
        raise RuntimeError("killed while writing")
    assert checkpoints.find_latest(tmp_path) == tmp_path / "checkpoint-1"


def test_the_folder_changes_with_every_parameter_input_and_line_of_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKPOINT_DIR", str(tmp_path / "elsewhere"))
    images, code = tmp_path / "images", tmp_path / "train.py"
    images.mkdir()
    (images / "00000.parquet").write_text("pixels")
    code.write_text("x = 1")

    def folder(**params: float) -> Path:
        return checkpoints.name_run_folder("tiny", params, [images, code])

    first = folder(lr=1e-4)
    assert first == folder(lr=1e-4)
    assert first.parent == tmp_path / "elsewhere"
    folders = {
        first,
        folder(lr=5e-4),
        folder(lr=1e-4, seed=1),
        checkpoints.name_run_folder("other", {"lr": 1e-4}, [images, code]),
    }
    (images / "00000.parquet").write_text("pixelz")
    folders.add(folder(lr=1e-4))
    (images / "00000.parquet").rename(images / "00001.parquet")
    folders.add(folder(lr=1e-4))
    code.write_text("x = 2")
    folders.add(folder(lr=1e-4))
    assert len(folders) == 7
    (tmp_path / "images" / "old.pyc").write_text("")
    assert folder(lr=1e-4) in folders


def test_a_second_writer_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path / "run"),
        pytest.raises(UserError, match=f"process {os.getpid()} is working"),
        lock_folder(tmp_path / "run"),
    ):
        pass
    with lock_folder(tmp_path / "run"):
        assert (tmp_path / "run" / "lock").read_text() == f"{os.getpid()}\n"


def test_the_adapters_of_all_epochs_are_kept_when_asked_for(tmp_path: Path) -> None:
    """Of epochs alone, not of the checkpoints between them; the rest of an old checkpoint goes."""
    losses: dict[int, float] = {}
    for step in range(5, 45, 5):
        losses |= {step: 2.0 - abs(step - 20) / 100} if step % 10 == 0 else {}
        save(tmp_path, step, losses, keep_epochs=True)
    latest = checkpoints.find_latest(tmp_path)
    assert latest == tmp_path / "checkpoint-40"
    epochs = checkpoints.find_epochs(latest)
    assert list(epochs) == [1, 2, 3, 4]
    for epoch, folder in epochs.items():
        for name in checkpoints.ADAPTER:
            assert (folder / name).read_text() == f"{name} at {10 * epoch}"
    assert names(tmp_path) == ["checkpoint-10", "checkpoint-35", "checkpoint-40", "epoch-20", "epoch-30"]
    assert not (tmp_path / "epoch-20" / "weights").exists()


def test_a_damaged_adapter_of_an_epoch_is_refused(tmp_path: Path) -> None:
    losses = {10: 4.0, 20: 3.0, 30: 2.0, 40: 1.0}
    for step in losses:
        save(tmp_path, step, {at: loss for at, loss in losses.items() if at <= step}, keep_epochs=True)
    (tmp_path / "epoch-10" / checkpoints.ADAPTER[0]).write_text("adapter_model.safetensors at 1o")
    with pytest.raises(UserError, match=r"epoch-10: the adapter of epoch 1 is damaged or gone; remove .*keep_epochs"):
        checkpoints.find_epochs(tmp_path / "checkpoint-40")
