"""What is written beside merged weights for vLLM: the prompt, and names of weights that it reads."""

import json
from itertools import chain
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from captioning.modelling import Captioner, load
from lookbook.workspace import caption_with_vllm
from lookbook.workspace.vllm_export import make_prompt, rename_weights, write_script
from pipeline.core.errors import UserError
from pipeline.model_folders import MODELS
from tests.captioning.families import auto_models
from tests.helpers.repository import ROOT


@pytest.mark.parametrize(("name", "family"), [("tiny-blip2-opt", "blip2_opt"), ("tiny-llava", "llava")])
def test_the_script_gets_the_prompt_without_the_pictures_tokens(name: str, family: str, tmp_path: Path) -> None:
    captioner = load(ROOT / MODELS / name, family, torch.float32)
    write_script(captioner, family, 64, "bf16", tmp_path)
    settings = json.loads((tmp_path / "vllm.json").read_text())
    n_image = captioner.prompt_ids.count(captioner.image_token_id)
    assert n_image > 1
    left = [token for token in captioner.prompt_ids if token != captioner.image_token_id]
    prompt = settings["prompt_token_ids"]
    assert [token for token in prompt if token != captioner.image_token_id] == left
    assert prompt.count(captioner.image_token_id) == (0 if family == "blip2_opt" else 1)
    restored = [[token] * (n_image if token == captioner.image_token_id else 1) for token in prompt]
    expected = captioner.prompt_ids[n_image:] if family == "blip2_opt" else captioner.prompt_ids
    assert list(chain.from_iterable(restored)) == expected
    assert (settings["stop_token_ids"], settings["max_tokens"]) == (captioner.eos_ids, 64)
    assert settings["dtype"] == "bfloat16"
    assert captioner.tokenizer.get_vocab()["<image>"] == captioner.image_token_id  # what vLLM looks up for BLIP-2
    assert (tmp_path / "caption_with_vllm.py").read_bytes() == Path(caption_with_vllm.__file__).read_bytes()


@pytest.mark.parametrize("name", ["qwen2_vl", "smolvlm", "gemma3"])
def test_a_model_with_a_chat_template_gets_its_question_with_one_token_for_the_picture(name: str) -> None:
    captioner = auto_models.build(name)
    prompt = make_prompt(captioner, "auto")
    text = captioner.tokenizer.decode(prompt)
    assert captioner.family.PROMPT in text
    bos = captioner.tokenizer.bos_token
    assert not bos or text.count(bos) <= 1


def test_a_model_without_a_chat_template_is_refused() -> None:
    captioner: Captioner = auto_models.build("paligemma")
    with pytest.raises(UserError, match="no chat template"):
        make_prompt(captioner, "auto")


@pytest.mark.parametrize("shards", ["50GB", "1MB"])
def test_weights_of_llavas_vision_tower_get_their_published_names(shards: str, tmp_path: Path) -> None:
    model = load(ROOT / MODELS / "tiny-llava", "llava", torch.float32).model
    model.save_pretrained(tmp_path, max_shard_size=shards)
    before = read_names(tmp_path)
    rename_weights(model, tmp_path)
    towers = [name for name in read_names(tmp_path) if name.startswith("vision_tower.")]
    assert len(towers) > 10
    assert all(name.startswith("vision_tower.vision_model.") for name in towers)
    assert sorted(name.replace("vision_model.", "") for name in read_names(tmp_path)) == sorted(before)
    index = tmp_path / "model.safetensors.index.json"
    if shards == "1MB":
        assert sorted(json.loads(index.read_text())["weight_map"]) == sorted(read_names(tmp_path))
    renamed = {path: path.read_bytes() for path in tmp_path.iterdir()}
    rename_weights(model, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == renamed
    again = type(model).from_pretrained(tmp_path, dtype=torch.float32).state_dict()
    assert again.keys() == model.state_dict().keys()
    assert all(torch.equal(weight, again[name]) for name, weight in model.state_dict().items())


def test_weights_of_other_models_keep_their_names(tmp_path: Path) -> None:
    model = auto_models.build("qwen2_vl").model
    model.save_pretrained(tmp_path)
    before = read_names(tmp_path)
    rename_weights(model, tmp_path)
    assert read_names(tmp_path) == before


def read_names(folder: Path) -> list[str]:
    names: list[str] = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            names += file.keys()
    return names
