"""The formula of `lookbook doctor` against what autograd keeps of small models of the real classes, and the review."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from safetensors.numpy import save_file

from captioning.modelling import (
    Captioner,
    apply_lora,
    checkpoint_activations,
    collate,
    make_example,
    move_to_device,
    prepare_images,
    tokenize,
)
from captioning.modelling.lora import find_language_model
from captioning.training.loss import sum_loss
from captioning.training.sharding import list_layers
from lookbook.workspace import memory
from lookbook.workspace.doctor import judge_memory
from lookbook.workspace.memory import PUBLISHED, Shape, count_activations
from sample.pretraining.architectures import Size, create_captioner
from sample.pretraining.tokenizer import train_tokenizer

ROOT = Path(__file__).parents[3]
FAMILIES = {"blip2_opt": "opt", "blip2_t5": "t5", "llava": "llama"}
TEXTS = ["a red shirt with short sleeves", "USER: Describe the appearance of the clothing item ASSISTANT:"]
CAPTION = "a red shirt with short sleeves " * 4
ITEMS = 2
LAYERS = (2, 4)
SIZE = {"image": 32, "vision_width": 16, "vision_layers": 1, "queries": 9, "qformer_layers": 1, "text_width": 128}


def make_captioner(family: str, text_layers: int, precision: str) -> Captioner:
    captioner = create_captioner(family, train_tokenizer(family, TEXTS, 320), Size(**SIZE, text_layers=text_layers))
    for part in captioner.model.modules():
        if type(part).__name__ == "T5Attention":
            part.dropout = 0.0  # the CPU's fused kernel has none; a GPU's has, and keeps no more for it
    if precision == "bf16":
        captioner.model.to(torch.bfloat16)
    return captioner


def drop_out_with_a_mask(values: torch.Tensor, p: float = 0.5, training: bool = True, *_: Any) -> torch.Tensor:
    """Drops values by the kernel that a GPU takes, which keeps a byte of each; that of the CPU keeps a number."""
    return torch.native_dropout(values, p, True)[0] if training and p else values


def normalise_in_32_bits(values: torch.Tensor, shape: Any, weight: Any, bias: Any, eps: float) -> torch.Tensor:
    """Normalises as autocast does on a GPU; on a CPU it keeps 16 bits."""
    return torch.layer_norm(values.float(), shape, weight.float(), bias.float(), eps)


def measure(captioner: Captioner, precision: str) -> tuple[int, int, int]:
    """Returns the bytes that autograd keeps, weights left out, and the tokens of input and labels."""
    images = prepare_images(captioner, [Image.new("RGB", (32, 32))] * ITEMS)
    caption = tokenize(captioner, [CAPTION])[0]
    batch = collate([make_example(captioner, image, caption) for image in images], images, captioner.pad_id)
    own = {part.untyped_storage().data_ptr() for part in (*captioner.model.parameters(), *captioner.model.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage  # held, so that no other gets its address
        return tensor

    captioner.model.train()
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
    ):
        loss = sum_loss(captioner, captioner.model, move_to_device(captioner, batch))
    loss.backward()
    n_bytes = sum(storage.nbytes() for storage in kept.values())
    return n_bytes, batch["input_ids"].shape[1], batch["labels"].shape[1]


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("lora_layers", ["query-value", "all-linear"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_formula_is_what_autograd_keeps(
    family: str, lora_layers: Any, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the layers by which a deeper model differs: within 4 %, and never more than is kept."""
    monkeypatch.setattr(torch.nn.functional, "dropout", drop_out_with_a_mask)
    if precision == "bf16":
        monkeypatch.setattr(torch.nn.functional, "layer_norm", normalise_in_32_bits)
    kept, counted = [], []
    for layers in LAYERS:
        captioner = make_captioner(family, layers, precision)
        captioner.model.config.save_pretrained(tmp_path)
        shape = memory.read_shape(tmp_path / "config.json")
        assert shape
        assert shape.kind == FAMILIES[family]
        captioner = apply_lora(captioner, lora_layers, 2, 4, 0.05, True)
        n_bytes, inputs, labels = measure(captioner, precision)
        kept.append(n_bytes)
        shape = Shape(shape.kind, shape.layers, shape.width, shape.inner, inputs if shape.kind == "t5" else 0)
        counted.append(
            ITEMS * count_activations(shape, labels if shape.kind == "t5" else inputs, lora_layers, precision)
        )
    difference, formula = kept[1] - kept[0], counted[1] - counted[0]
    assert 0.96 * difference < formula <= difference


def test_with_checkpointed_activations_a_layer_keeps_its_input() -> None:
    """A layer whole is counted for the one that is computed again."""
    kept = []
    for layers in LAYERS:
        captioner = apply_lora(make_captioner("llava", layers, "bf16"), "all-linear", 2, 4, 0.05, True)
        checkpoint_activations(captioner)
        kept.append(measure(captioner, "bf16")[0])
        _, tokens, _ = measure(captioner, "bf16")
    shapes = [Shape("llama", layers, 128, 352, 0) for layers in LAYERS]
    few, many = (ITEMS * count_activations(shape, tokens, "all-linear", "bf16", True) for shape in shapes)
    assert kept[1] - kept[0] == pytest.approx(many - few, rel=0.04)
    assert few > ITEMS * count_activations(Shape("llama", 1, 128, 352, 0), tokens, "all-linear", "bf16")


@pytest.mark.parametrize(
    ("name", "lora_layers", "gigabytes"),
    [
        ("llava-1.5-7b-hf", "query-value", 66),
        ("llava-1.5-7b-hf", "all-linear", 95),
        ("llava-1.5-13b-hf", "query-value", 108),
        ("llava-1.5-13b-hf", "all-linear", 153),
    ],
)
def test_published_captioners_take_what_was_measured_at_their_width(
    name: str, lora_layers: str, gigabytes: float
) -> None:
    """Layers of real width, measured by another program: 16 items of 640 tokens, with the weights in 16 bits."""
    known = PUBLISHED[name]
    activations = count_activations(known.shape, 640 - known.shape.prompt, lora_layers, "bf16") / memory.GB
    assert 2 * known.parameters + 16 * activations == pytest.approx(gigabytes, rel=0.04)


@pytest.fixture
def study() -> dict[str, Any]:
    """Read the replay on H&M."""
    return YAML(typ="safe").load(ROOT / "studies/thesis-hm.yaml")


def test_16_items_of_the_largest_captioner_do_not_fit_on_80_gb(study: dict[str, Any]) -> None:
    study["machine"]["device_batch_size"] = 16
    finding = judge_memory(study, 80.0, "GPU memory")
    assert finding.status == "warning"
    assert "llava-1.5-13b takes about 12" in finding.message
    assert finding.remedy.startswith("set machine.device_batch_size: auto, machine.gradient_checkpointing: true")
    study["captioners"] = {"blip2-opt-2.7b": {"family": "blip2_opt"}}
    assert judge_memory(study, 80.0, "GPU memory").status == "ok"


def test_the_replays_fit_on_80_gb_as_they_are(study: dict[str, Any]) -> None:
    assert study["machine"]["device_batch_size"] == "auto"
    finding = judge_memory(study, 80.0, "GPU memory")
    assert finding.status == "ok"
    assert "auto will find about blip2-opt-2.7b 16, " in finding.message
    assert finding.message.endswith("llava-1.5-13b 8")
    assert judge_memory(study, 20.0, "GPU memory").status == "warning"


def test_what_needs_less_is_counted(study: dict[str, Any]) -> None:
    plain = memory.estimate("llava-1.5-13b", study)
    study["machine"]["gradient_checkpointing"] = True
    assert memory.estimate("llava-1.5-13b", study).item < plain.item / 10
    study["machine"] |= {"processes": 4, "sharding": "fsdp"}
    assert plain.weights / 4 < memory.estimate("llava-1.5-13b", study).weights < plain.weights / 3
    study["caption_train"]["quantization"] = "nf4"
    study["machine"]["sharding"] = "none"
    assert memory.estimate("llava-1.5-13b", study).weights < plain.weights / 3


def test_a_captioner_whose_pictures_differ_in_tokens_is_named(
    study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data/models/qwen"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2_vl"}))
    monkeypatch.chdir(tmp_path)
    study["captioners"] = {"qwen": {"family": "auto"}, "replay": {"family": "file"}}
    said = judge_memory(study, 80.0, "memory").message
    assert said.endswith(
        "; activations of qwen are not counted; neither are weights of qwen, which are not on this machine"
    )
    save_file({"a": np.zeros((250_000, 1000), np.float16)}, folder / "model.safetensors")
    said = judge_memory(study, 80.0, "memory").message
    assert "qwen takes about 3.5 GB to train: 0.5 of weights" in said  # in bf16
    assert said.endswith("; activations of qwen are not counted")
    study["caption_train"]["precision"] = "fp32"
    assert "1.0 of weights" in judge_memory(study, 80.0, "memory").message


# What `captioning.training.sharding.shard` leaves each of eight processes of models of these shapes, in GB of fp32.
@pytest.mark.parametrize(
    ("name", "gigabytes"), [("blip2-opt-2.7b", 6.2), ("blip2-flan-t5-xxl", 10.3), ("llava-1.5-13b-hf", 9.0)]
)
def test_what_processes_do_not_share_is_whole_in_each(name: str, gigabytes: float) -> None:
    known, section = PUBLISHED[name], {"precision": "fp32", "quantization": "none"}
    found = memory.estimate_weights(known.parameters, known.shape, section, 8)
    assert found == pytest.approx(gigabytes, rel=0.06)


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_of_layers_are_those_that_are_shared(family: str, tmp_path: Path) -> None:
    captioner = make_captioner(family, LAYERS[0], "fp32")
    captioner.model.config.save_pretrained(tmp_path)
    shape = memory.read_shape(tmp_path / "config.json")
    assert shape
    layers = list_layers(captioner.base.get_submodule(find_language_model(captioner.base)))
    matrices = [weight for layer in layers for weight in layer.parameters() if weight.dim() == 2]
    assert sum(weight.numel() for weight in matrices) == pytest.approx(
        memory.GB * memory.count_layer_parameters(shape), rel=0.01
    )
