"""What is refused before a model is loaded, and what each message says to do."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from captioning.modelling import load
from pipeline.core.errors import UserError
from sample.pretraining.architectures import Size, create_captioner
from sample.pretraining.tokenizer import train_tokenizer


@pytest.fixture
def folder(tiny_folder: Callable[[str], Path]) -> Path:
    return tiny_folder("llava")


def refused(match: str, folder: Path, adapter: Path | None = None, family: str = "llava") -> None:
    with pytest.raises(UserError, match=match):
        load(folder, family, torch.float32, adapter=adapter)


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_an_unknown_family_is_met_with_the_known_ones(folder: Path) -> None:
    refused(
        r"'lava' is no known family; must be one of: auto, blip2_opt, blip2_t5, file, llava, llava_crop; .*llava",
        folder,
        family="lava",
    )


def test_a_family_of_captions_has_no_model(folder: Path) -> None:
    refused("a captioner of family file has captions and no model to load", folder, family="file")


def test_an_unknown_model_is_met_with_the_nearest_name(folder: Path) -> None:
    refused(r"lava: no model here; known models: llava; .*llava", folder.with_name("lava"))


def test_a_folder_of_another_family_is_named(tiny_folder: Callable[[str], Path]) -> None:
    for family, other in [("blip2_opt", "blip2_t5"), ("blip2_t5", "blip2_opt"), ("llava", "blip2_opt")]:
        refused(
            f"family {other} does not fit: the model is .*, this family is blip-2 with",
            tiny_folder(family),
            family=other,
        )


def test_a_gpu_that_is_not_there_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("cuda", "cuda:1"):
        with pytest.raises(UserError, match="device: cuda, but PyTorch finds no GPU here; use device: cpu"):
            load(folder, "llava", torch.float32, device)


def test_more_processes_than_gpus_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match="one for each GPU, and PyTorch finds 2 here; use fewer processes"):
        load(folder, "llava", torch.float32, "cuda:2")


def test_a_head_of_its_own_is_kept_without_advice_to_change_the_config(
    tiny_folder: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """The published Flan-T5s have a head that differs from their embeddings, and a config that says it does not."""
    folder = tiny_folder("blip2_t5")
    weights = load_file(folder / "model.safetensors")
    head = torch.ones_like(weights["language_model.shared.weight"])
    save_file(weights | {"language_model.lm_head.weight": head}, folder / "model.safetensors", {"format": "pt"})
    model = load(folder, "blip2_t5", torch.float32).base
    assert torch.equal(model.language_model.lm_head.weight, head.float())
    assert "tie_word_embeddings" not in capfd.readouterr().err


LOAD = """
import sys, torch
from pathlib import Path
from captioning.modelling import load


def peak():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


load("small", "llava", torch.float32)  # what is imported and allocated once
before = peak()
load("large", "llava", torch.float32, sys.argv[1])
print(peak() - before)
"""


@pytest.mark.slow
def test_processes_with_devices_of_their_own_hold_no_model_in_the_memory_of_the_cpu(
    tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """Two at the same time; PyTorch's device without memory stands for their GPUs. On the CPU each holds one."""
    tiny_folder("llava").rename(tmp_path / "small")
    size = Size(image=32, vision_width=16, vision_layers=1, text_width=768, text_layers=8)
    captioner = create_captioner("llava", train_tokenizer("llava", ["USER: a red shirt ASSISTANT:"], 320), size)
    whole = 4 * captioner.base.num_parameters()
    captioner.model.half().save_pretrained(tmp_path / "large")
    captioner.processor.save_pretrained(tmp_path / "large")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", LOAD]
    running = [
        subprocess.Popen([*command, device], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
        for device in ("meta", "meta", "cpu")
    ]
    *grown, on_cpu = [int(process.communicate(timeout=300)[0]) for process in running]
    assert sum(grown) < whole < on_cpu


def test_pickled_weights_are_refused(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    refused(r"no weights as safetensors; pytorch_model\.bin could run code", folder)


def test_remote_code_is_refused_and_does_not_run(folder: Path) -> None:
    (folder / "mine.py").write_text("raise SystemExit('this code ran')")
    change(folder / "config.json", auto_map={"AutoConfig": "mine.Config"}, model_type="mine")
    refused(r"config\.json: asks for Python code .* never run", folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "processor_config.json"])
def test_code_that_transformers_does_not_need_is_not_run(name: str, folder: Path) -> None:
    """Repositories keep their `auto_map` for old versions; the class is transformers' own."""
    (folder / "mine.py").write_text("raise SystemExit('this code ran')")
    maps = {"AutoConfig": "mine.Config", "AutoTokenizer": ["mine.Words", None], "AutoProcessor": "mine.Processor"}
    change(folder / name, auto_map=maps)
    assert load(folder, "llava", torch.float32).base.config.model_type == "llava"


def test_files_that_need_their_own_code_after_all_say_so(folder: Path) -> None:
    """A known type in a form that is not transformers' own, as the first Florence-2 on the hub."""
    change(folder / "config.json", auto_map={"AutoConfig": "mine.Config"}, vision_config={"model_type": "davit"})
    refused(r"cannot load llava .*config\.json asks for code that is never run here: take a conversion", folder)


@pytest.mark.parametrize("keep", [5, 2000])
def test_damaged_weights_are_named(folder: Path, keep: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refused(r"model\.safetensors: damaged safetensors", folder)


def test_weights_without_a_layer_are_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name: weights[name] for name in sorted(weights)[1:]}, folder / "model.safetensors", {"format": "pt"})
    refused("lacks .* of the model's weights", folder)


def test_weights_of_other_sizes_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["intermediate_size"] += 8
    (folder / "config.json").write_text(json.dumps(config))
    refused("cannot load llava", folder)


def test_a_folder_without_a_tokenizer_is_named(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    refused("cannot load llava .*tokenizer", folder)


def test_a_damaged_config_is_named(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "lla')
    refused(r"config\.json: not valid JSON", folder)
