"""What is refused before a model is loaded, and what each message says to do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from captioning.modelling import Captioner, load
from pipeline.core.errors import UserError
from tests.captioning.families.examples import add_random_adapter


@pytest.fixture
def folder(tiny_folder: Callable[[str], Path]) -> Path:
    return tiny_folder("llava")


@pytest.fixture
def adapter(folder: Path, tmp_path: Path) -> Path:
    add_random_adapter(load(folder, "llava", torch.float32)).model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


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


def test_pickled_weights_are_refused(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    refused(r"no weights as safetensors; pytorch_model\.bin could run code", folder)


def test_remote_code_is_refused_and_does_not_run(folder: Path) -> None:
    (folder / "mine.py").write_text("raise SystemExit('this code ran')")
    change(folder / "config.json", auto_map={"AutoConfig": "mine.Config"}, model_type="mine")
    refused(r"config\.json: asks for Python code .* never run", folder)


def test_remote_code_of_a_processor_is_refused_too(folder: Path) -> None:
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["mine.Tokenizer", None]})
    refused(r"tokenizer_config\.json: asks for Python code", folder)


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


def test_an_adapter_without_its_config_is_named(folder: Path, adapter: Path) -> None:
    (adapter / "adapter_config.json").unlink()
    refused(r"no adapter_config\.json", folder, adapter)


def test_a_pickled_or_absent_adapter_is_refused(folder: Path, tmp_path: Path) -> None:
    torch.save({}, tmp_path / "adapter_model.bin")
    refused(r"no adapter_model\.safetensors", folder, tmp_path)


def test_a_damaged_adapter_is_named(folder: Path, adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    refused(r"adapter_model\.safetensors: damaged", folder, adapter)


def test_an_adapter_of_another_model_is_refused_by_name(folder: Path, adapter: Path) -> None:
    change(adapter / "adapter_config.json", base_model_name_or_path="data/models/tiny-blip2-opt")
    refused(r"was trained on data/models/tiny-blip2-opt, not on .*llava", folder, adapter)


def test_a_moved_model_keeps_its_adapters(folder: Path, adapter: Path) -> None:
    change(adapter / "adapter_config.json", base_model_name_or_path="elsewhere/models/llava")
    assert load(folder, "llava", torch.float32, adapter=adapter).model.peft_config


@pytest.mark.parametrize("base", ["", "llava"])
def test_an_adapter_of_other_shapes_is_refused(
    base: str, folder: Path, adapter: Path, tiny_captioner: Callable[[str], Captioner], tmp_path: Path
) -> None:
    change(adapter / "adapter_config.json", base_model_name_or_path=base)
    weights = load_file(adapter / "adapter_model.safetensors")
    wider = {name: torch.zeros([size + 1 for size in weight.shape]) for name, weight in weights.items()}
    save_file(wider, adapter / "adapter_model.safetensors", {"format": "pt"})
    refused(f"was trained on {base or 'another model'}, not on .*llava: its layers do not fit", folder, adapter)
    fewer = dict(list(weights.items())[2:])
    save_file(fewer, adapter / "adapter_model.safetensors", {"format": "pt"})
    refused("2 of its layers do not fit, first ", folder, adapter)


def test_an_adapter_of_another_architecture_is_refused(adapter: Path, tiny_folder: Callable[[str], Path]) -> None:
    change(adapter / "adapter_config.json", base_model_name_or_path="")
    refused("its layers do not fit", tiny_folder("blip2_t5"), adapter, "blip2_t5")


def test_an_adapter_names_the_folder_of_its_model(folder: Path, adapter: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == folder.as_posix()
