"""Write what captions pictures by vLLM beside merged weights: a script, and the prompt in tokens.

vLLM puts the picture's tokens into the prompt itself: before a prompt of BLIP-2, and in the place of the one token that
stands for the picture in the others. The tokens come from Lookbook, so both programs read the same prompt.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from lookbook.workspace import caption_with_vllm
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_json

FAMILIES = ("blip2_opt", "llava", "llava_crop", "auto")
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
# Vision towers whose weights transformers 5 names anew, unless they were published: vLLM reads the published names.
TOWERS = ("CLIPVisionModel", "SiglipVisionModel")
TOWER, PUBLISHED_TOWER = "vision_tower.", "vision_tower.vision_model."


def check_family(family: str) -> None:
    """Check that vLLM may have models of a family.

    Raises:
        UserError: it has none.
    """
    if family not in FAMILIES:
        raise UserError(
            f"--vllm: vLLM has no models of family {family}; it has some of {', '.join(FAMILIES)}; leave out --vllm, "
            "and use machine.cluster: ray for captions by several GPUs"
        )


def write_script(captioner: Any, family: str, max_new_tokens: int, precision: str, folder: Path) -> None:
    """Write the script and its settings.

    Args:
        captioner: a `captioning.modelling.Captioner`.
        family: its name.
        max_new_tokens: the limit of a caption, EOS included.
        precision: fp32 or bf16.
        folder: of the merged weights.

    Raises:
        UserError: the model has no chat template.
    """
    settings = {
        "family": family,
        "prompt_token_ids": make_prompt(captioner, family),
        "stop_token_ids": captioner.eos_ids,
        "max_tokens": max_new_tokens,
        "dtype": DTYPES[precision],
    }
    source = Path(caption_with_vllm.__file__)
    shutil.copyfile(source, folder / source.name)
    write_json(folder / caption_with_vllm.SETTINGS.name, settings)


def rename_weights(model: Any, folder: Path) -> None:
    """Give the weights of the vision tower their published names, if they have others; transformers reads both.

    Args:
        model: of transformers, that was saved.
        folder: with its weights.
    """
    if type(getattr(model.base_model, "vision_tower", None)).__name__ not in TOWERS:
        return
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            names, metadata = list(file.keys()), file.metadata()
        if names != [publish_name(name) for name in names]:
            weights = {publish_name(name): weight for name, weight in load_file(path).items()}
            save_file(weights, path, metadata)
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        content = json.loads(index.read_text(encoding="utf-8"))
        content["weight_map"] = {publish_name(name): file for name, file in content["weight_map"].items()}
        write_json(index, content)


def publish_name(weight: str) -> str:
    """Return the published name of a weight.

    >>> publish_name("vision_tower.encoder.layers.0.mlp.fc1.bias")
    'vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias'
    >>> publish_name("vision_tower.vision_model.post_layernorm.bias")
    'vision_tower.vision_model.post_layernorm.bias'
    """
    if weight.startswith(TOWER) and not weight.startswith(PUBLISHED_TOWER):
        return PUBLISHED_TOWER + weight.removeprefix(TOWER)
    return weight


def make_prompt(captioner: Any, family: str) -> list[int]:
    """Make the prompt's tokens as vLLM takes them.

    Raises:
        UserError: the model has no chat template.
    """
    if family == "auto":
        return _apply_template(captioner)
    image, prompt = captioner.image_token_id, captioner.prompt_ids
    if family == "blip2_opt":
        return [token for token in prompt if token != image]
    return [
        token for token, before in zip(prompt, [None, *prompt[:-1]], strict=True) if (token, before) != (image, image)
    ]


def _apply_template(captioner: Any) -> list[int]:
    """Encode the question of family `auto`, with a single token for the picture."""
    processor, question = captioner.processor, captioner.family.PROMPT
    if not (processor.chat_template or captioner.tokenizer.chat_template):
        raise UserError("--vllm: the model has no chat template, so its prompt is not known; leave out --vllm")
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
    text = processor.apply_chat_template(chat, add_generation_prompt=True)
    bos = captioner.tokenizer.bos_token
    ids: list[int] = captioner.tokenizer(text, add_special_tokens=not (bos and text.startswith(bos)))["input_ids"]
    return ids
