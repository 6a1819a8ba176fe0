"""The largest batch that fits: it is searched once per run and changes no result; and the error where none fits.

Memory runs out for real: a batch larger than the test allows makes PyTorch allocate more than any machine has.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from captioning.families import blip2_opt
from captioning.train import IMAGES, ITEMS
from captioning.training import batch_size, fine_tuning, trainer
from captioning.training.loss import sum_loss
from captioning.training.settings import Params
from pipeline.core.errors import UserError
from pipeline.core.params import read

pytestmark = pytest.mark.usefixtures("short_samples")
MODEL = Path("data/models/tiny")
Project = Callable[..., Path]


def limit_memory(rows: int, module: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Makes batches of more rows not fit, and returns the list that will hold the sizes tried."""
    tried: list[int] = []

    def limited(captioner: Any, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        tried.append(len(batch["labels"]))
        if len(batch["labels"]) > rows:
            torch.empty(1 << 55, dtype=torch.uint8)
        return sum_loss(captioner, model, batch)

    monkeypatch.setattr(module, "sum_loss", limited)
    return tried


def train(folder: str) -> tuple[fine_tuning.Result, bytes]:
    result = fine_tuning.fine_tune(MODEL, "blip2_opt", ITEMS, IMAGES, read(Params), Path(folder))
    return result, (result.best / "adapter_model.safetensors").read_bytes()


def set_size(size: int | str) -> None:
    params = Path("params.yaml")
    text = params.read_text().replace("device_batch_size: auto", f"device_batch_size: {size}")
    params.write_text(text)


@pytest.mark.slow
def test_auto_takes_the_largest_divisor_that_fits_and_trains_as_with_that_size(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 12, 5 would fit but does not divide; 4 does. A resumed run does not search again, and tries that size once."""
    tiny_project("blip2_opt", {"batch_size": 12, "machine.device_batch_size": "auto"})
    tried = limit_memory(5, batch_size, monkeypatch)
    result, adapter = train("auto")
    assert tried == [12, 6, 4, 4]
    assert result.metrics["device_batch_size"] == 4
    assert json.loads(Path("auto", batch_size.SIZE_FILE).read_text())["size"] == 4
    train("auto")
    assert tried == [12, 6, 4, 4, 4]
    set_size(4)
    assert train("fixed")[1] == adapter


def test_a_size_is_searched_again_for_another_share_or_device(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size of one process divides nothing where several share the batch; that of another GPU may not fit."""
    tiny_project("blip2_opt", {"batch_size": 12, "machine.device_batch_size": "auto"})
    params = read(Params)
    captioner = fine_tuning.load_with_adapter(MODEL, "blip2_opt", params)
    searched: list[int] = []
    monkeypatch.setattr(
        batch_size, "find_largest", lambda _captioner, _data, share, _autocast: searched.append(share) or share
    )

    def choose(**machine: Any) -> int:
        changed = params.model_copy(update={"machine": params.machine.model_copy(update=machine)})
        return batch_size.choose_device_batch_size(captioner, [], changed, Path())

    assert [choose(), choose(), choose(threads=1)] == [12, 12, 12]
    assert searched == [12]
    assert [choose(processes=4), choose(processes=4)] == [3, 3]
    assert choose(processes=4, gradient_checkpointing=True) == 3
    assert searched == [12, 3, 3]
    file = Path(batch_size.SIZE_FILE)
    file.write_text(file.read_text().replace('"cpu"', '"a small GPU"'))
    assert choose(processes=4, gradient_checkpointing=True) == 3
    assert searched == [12, 3, 3, 3]


def test_a_search_leaves_room_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What training adds to it: the gradients' buffers of several processes."""
    done: list[Any] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share, _device: done.append(share))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("empty"))
    with pytest.raises(UserError), batch_size.leave_room(torch.device("cuda", 0)):
        raise UserError("nothing fits")
    assert done == [batch_size.SEARCHED, 1.0, "empty"]


def test_a_size_that_fits_no_longer_is_told_from_one_that_was_given(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as where another program has come to use the GPU."""
    tiny_project("blip2_opt", {"batch_size": 8, "machine.device_batch_size": "auto"})
    limit_memory(4, trainer, monkeypatch)
    with pytest.raises(UserError, match=r"device_batch_size: auto \(8 fitted when it was tried; free the device's"):
        train("run")


def test_the_longest_captions_are_tried(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("blip2_opt")
    params, widths = read(Params), []
    captioner = fine_tuning.load_with_adapter(MODEL, "blip2_opt", params)
    training, _ = fine_tuning.load_splits(captioner, MODEL, ITEMS, IMAGES, params, Path("run"))
    monkeypatch.setattr(
        batch_size, "sum_loss", lambda *args: widths.append(args[2]["labels"].shape[1]) or sum_loss(*args)
    )
    assert batch_size.find_largest(captioner, training, 8) == 8
    assert widths == [max(len(training[row]["example"].labels) for row in range(len(training)))]
    assert all(weight.grad is None for weight in captioner.model.parameters())


@pytest.mark.slow
def test_where_nothing_fits_the_error_names_what_needs_less(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project("blip2_opt", {"machine.device_batch_size": "auto"})
    limit_memory(0, batch_size, monkeypatch)
    with pytest.raises(
        UserError,
        match=r"device_batch_size: 1 .*smallest.*machine.gradient_checkpointing: true .*machine.sharding: fsdp",
    ):
        train("run")


def test_out_of_memory_names_device_batch_size(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("blip2_opt")
    limit_memory(4, trainer, monkeypatch)
    with pytest.raises(UserError, match=r"machine.device_batch_size: 8 .auto, or a smaller divisor"):
        train("run")


def test_longest_captions_that_do_not_fit_stop_a_run_before_its_first_step(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a seed whose first batch of an epoch is not the one with the longest captions."""
    tiny_project("blip2_opt", {"machine.device_batch_size": 4, "epochs": 1})
    widths: list[tuple[str, int]] = []

    def limit(module: Any, longest: int) -> None:
        def limited(captioner: Any, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            widths.append((module.__name__.rpartition(".")[2], batch["labels"].shape[1]))
            if batch["labels"].shape[1] >= longest:
                torch.empty(1 << 55, dtype=torch.uint8)
            return sum_loss(captioner, model, batch)

        monkeypatch.setattr(module, "sum_loss", limited)

    limit(batch_size, 10_000)
    limit(trainer, 10_000)
    train("whole")
    (first, longest), *later = widths
    assert first == "batch_size"
    assert later[0][1] < longest == max(width for _, width in later)
    widths.clear()
    limit(batch_size, longest)
    limit(trainer, longest)
    with pytest.raises(UserError, match="out of memory"):
        train("limited")
    assert widths == [("batch_size", longest)]


def test_weights_that_do_not_fit_are_reported(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of the machine may run out while the model is read, which PyTorch reports as a RuntimeError."""
    tiny_project("blip2_opt", {"machine.device_batch_size": "auto"})

    def full(*_: Any, **__: Any) -> None:
        torch.empty(1 << 55, dtype=torch.uint8)

    monkeypatch.setattr(blip2_opt.MODEL, "from_pretrained", full)
    with pytest.raises(UserError, match=r"device_batch_size: auto .nothing fits beside the weights.*quantization: nf4"):
        train("run")


@pytest.mark.parametrize(
    "message",
    ["CUDA out of memory. Tried", "CUDA error: out of memory\nCUDA kernel", "CUBLAS_STATUS_ALLOC_FAILED when calling"],
)
def test_each_way_to_run_out_of_memory_is_known(message: str) -> None:
    with pytest.raises(UserError, match="out of memory"), batch_size.explain_out_of_memory(8):
        raise RuntimeError(message)


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), batch_size.explain_out_of_memory(8):
        raise RuntimeError("shapes do not fit")
