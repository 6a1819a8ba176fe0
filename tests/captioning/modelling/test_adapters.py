"""Adapters: of older transformers, with modules trained in full, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from captioning.modelling import Captioner, load, prepare_images
from pipeline.core.errors import UserError
from tests.captioning.families.examples import IMAGES, add_random_adapter, make_batch


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


def logits(captioner: Captioner) -> torch.Tensor:
    with torch.no_grad():
        return captioner.model(**make_batch(captioner, prepare_images(captioner, IMAGES))).logits


OLD_NAMES: dict[str, Callable[[str], str]] = {
    "llava": lambda name: name.replace("model.model.language_model.", "model.language_model.model."),
    "blip2_opt": lambda name: name.replace(".language_model.", ".model.language_model."),
    "blip2_t5": lambda name: name.replace(".language_model.", ".model.language_model."),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", OLD_NAMES)
@pytest.mark.parametrize("targets", ["as saved", "of the old names", "ends"])
def test_an_adapter_with_names_of_another_transformers_is_the_same(
    family: str, targets: str, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tiny_folder(family)
    add_random_adapter(load(folder, family, torch.float32)).model.save_pretrained(tmp_path)
    expected, plain = (logits(load(folder, family, torch.float32, adapter=path)) for path in (tmp_path, None))
    weights = load_file(tmp_path / "adapter_model.safetensors")
    renamed = {OLD_NAMES[family](name): weight for name, weight in weights.items()}
    assert not set(renamed) & set(weights)
    save_file(renamed, tmp_path / "adapter_model.safetensors", {"format": "pt"})
    ends = sorted({name.split(".lora_")[0].rpartition(".")[2] for name in renamed})
    if targets == "of the old names":
        change(tmp_path / "adapter_config.json", target_modules=r"language_model\.model\.layers.*_proj")
    elif targets == "ends":
        change(tmp_path / "adapter_config.json", target_modules=ends)
    assert torch.equal(logits(load(folder, family, torch.float32, adapter=tmp_path)), expected)
    assert not torch.allclose(expected, plain, atol=1e-3)


@pytest.mark.parametrize(
    "key", ["model.language_model.layers.0.self_attn.q_proj", "layers.0.self_attn.q_proj", "q_proj"]
)
def test_patterns_of_alpha_and_rank_are_those_of_the_old_names(folder: Path, tmp_path: Path, key: str) -> None:
    captioner = load(folder, "llava", torch.float32)
    config = LoraConfig(
        r=2, target_modules=r".*language_model.*\.(q_proj|v_proj)", alpha_pattern={key: 90}, rank_pattern={key: 3}
    )
    model = get_peft_model(captioner.model, config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.add_(0.1)
    model.eval()
    expected = logits(Captioner(model, captioner.processor, captioner.family))
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    renamed = {OLD_NAMES["llava"](name): weight for name, weight in weights.items()}
    save_file(renamed, tmp_path / "adapter_model.safetensors", {"format": "pt"})
    old = OLD_NAMES["llava"](f"model.{key}").removeprefix("model.")
    change(tmp_path / "adapter_config.json", alpha_pattern={old: 90}, rank_pattern={old: 3})
    assert torch.equal(logits(load(folder, "llava", torch.float32, adapter=tmp_path)), expected)


@pytest.mark.parametrize("module", ["lm_head", "multi_modal_projector"])
@pytest.mark.parametrize("old", [False, True])
def test_modules_that_were_trained_in_full_are_applied(folder: Path, tmp_path: Path, module: str, old: bool) -> None:
    captioner = load(folder, "llava", torch.float32)
    config = LoraConfig(r=2, target_modules=r".*language_model.*\.(q_proj|v_proj)", modules_to_save=[module])
    model = get_peft_model(captioner.model, config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name or "modules_to_save" in name:
                weight.add_(0.1)
    model.eval()
    expected = logits(Captioner(model, captioner.processor, captioner.family))
    model.save_pretrained(tmp_path)
    if old:
        names = {
            "model.model.language_model.": "model.language_model.model.",
            "model.lm_head": "model.language_model.lm_head",
        }
        names |= {"model.model.multi_modal_projector": "model.multi_modal_projector"}
        weights = load_file(tmp_path / "adapter_model.safetensors")
        for new, before in names.items():
            weights = {name.replace(new, before): weight for name, weight in weights.items()}
        save_file(weights, tmp_path / "adapter_model.safetensors", {"format": "pt"})
    assert torch.equal(logits(load(folder, "llava", torch.float32, adapter=tmp_path)), expected)


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
