"""The script that captions by vLLM, run with vLLM: its build for CPUs, in the environment that VLLM_PYTHON names."""

import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers.models.gemma3 import modeling_gemma3

from captioning.families import file
from captioning.modelling import Captioner, load, prepare_images
from catalogue.prepared.images import ImageStore, pack_images
from lookbook.workspace.vllm_export import rename_weights, write_script
from pipeline.model_folders import MODELS
from sample.pretraining.examples import draw_pictures
from tests.captioning.families import auto_models
from tests.helpers.encoded import encode
from tests.helpers.repository import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("VLLM_PYTHON"), reason="VLLM_PYTHON names no Python with vLLM"),
]
IDS = [f"item-{number:02}" for number in range(40)]
TOKENS = 24
DIFFERENT = 2  # captions of these pictures that may differ: vLLM adds up in another order


def test_blip2_captions_as_it_does_in_lookbook(tmp_path: Path) -> None:
    compare_captions(load(ROOT / MODELS / "tiny-blip2-opt", "blip2_opt", torch.float32), "blip2_opt", tmp_path)


@pytest.mark.parametrize("family", ["llava", "llava_crop"])
def test_llava_captions_as_it_does_in_lookbook(family: str, tmp_path: Path) -> None:
    compare_captions(load(ROOT / MODELS / "tiny-llava", family, torch.float32), family, tmp_path)


@pytest.mark.parametrize("name", ["qwen2_vl", "smolvlm", "gemma3"])
def test_newer_models_caption_as_they_do_in_lookbook(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Gemma 3 lets a picture's tokens see each other in both directions. On a CPU, vLLM leaves that out.
    monkeypatch.setattr(modeling_gemma3, "get_block_sequence_ids_for_mask", leave_out_blocks)
    compare_captions(build_wide(name, monkeypatch), "auto", tmp_path)


def leave_out_blocks(types: torch.Tensor, device: torch.device | None = None) -> torch.Tensor:
    """Return that no token is of a picture."""
    return torch.full_like(types, -1, device=device)


def build_wide(name: str, monkeypatch: pytest.MonkeyPatch) -> Captioner:
    """Build a model of random weights that vLLM can run, whose words are text and depend on the picture.

    vLLM has no attention for heads of 8 values. Parts of a character, of which random words are full, it writes in
    another way, so that the model never chooses them. As they are drawn, weights are too small to change a word.
    """
    monkeypatch.setattr(auto_models, "TEXT", auto_models.TEXT | {"hidden_size": 128})
    captioner = auto_models.build(name)
    words, head = captioner.tokenizer, captioner.model.get_output_embeddings().weight
    unwanted = [token for token in range(len(words)) if not words.decode([token]).isascii()] + words.all_special_ids
    with torch.no_grad():
        for weight in captioner.model.parameters():
            if weight.ndim >= 2 and weight is not head:
                weight.mul_(8) if weight.any() else torch.nn.init.normal_(weight)
        head[unwanted] = 0
    return captioner


def compare_captions(captioner: Captioner, family: str, folder: Path) -> None:
    """Caption the same pictures by Lookbook and by the exported script, and compare text, length and end."""
    store = write_study(folder)
    images = prepare_images(captioner, [store[item] for item in IDS])
    expected = [(one.text, one.tokens, one.finished) for one in captioner.family.generate(captioner, images, TOKENS)]
    assert len({text for text, _, _ in expected}) > len(IDS) / 4  # they depend on the picture
    save_export(captioner, family, folder / "export")
    made = caption_by_vllm(folder)
    differ = [(own, other) for own, other in zip(expected, made, strict=True) if own != other]
    assert len(differ) <= DIFFERENT, differ


def write_study(folder: Path) -> ImageStore:
    """Write a study of the sample's pictures, all of split test."""
    pictures = dict(zip(IDS, draw_pictures(len(IDS), seed=5), strict=True))
    images = folder / "data/prepared/images"
    images.mkdir(parents=True)

    pack_images(images, {item: item for item in IDS}, lambda item: encode(pictures[item].image), 256)
    rows = {"item_id": IDS, "description": ["a shirt"] * len(IDS), "split": ["test"] * len(IDS)}
    pd.DataFrame(rows).to_parquet(folder / "data/prepared/items.parquet")
    return ImageStore(images)


def save_export(captioner: Captioner, family: str, folder: Path) -> None:
    """Write what `lookbook export --merged --vllm` writes, but for the card."""
    folder.mkdir()
    write_script(captioner, family, TOKENS, "fp32", folder)
    captioner.model.save_pretrained(folder)
    captioner.processor.save_pretrained(folder)
    rename_weights(captioner.model, folder)


def caption_by_vllm(folder: Path) -> list[tuple[str, int, bool]]:
    """Run the script in the study's folder, and read its file as family `file` does."""
    out = "data/models/mine/captions.parquet"
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OMP_NUM_THREADS")}
    ended = subprocess.run(
        [os.environ["VLLM_PYTHON"], "export/caption_with_vllm.py", "--out", out],
        cwd=folder,
        env=environment | {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},  # GiB
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr[-4_000:]
    assert f"wrote {out}: {len(IDS)} captions" in ended.stdout
    table = file.read_captions(folder / "data/models/mine", "ft", IDS, IDS).set_index("item_id").loc[IDS]
    return list(table[["caption", "tokens", "finished"]].itertuples(index=False, name=None))
