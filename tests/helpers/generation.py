"""Run the stage caption_generate in a `tiny_project`."""

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from captioning import generate
from captioning.modelling import apply_lora, load

FAMILIES = ["blip2_opt", "blip2_t5", "llava"]
TO_CAPTION = [f"{number:010d}" for number in range(32, 38)]  # 4 test items, 2 without description
Project = Callable[..., Path]


def run_stage(monkeypatch: pytest.MonkeyPatch, family: str, adapter: str | None = None) -> pd.DataFrame:
    options = ["generate", "--captioner", "tiny", "--family", family, *(["--adapter", adapter] if adapter else [])]
    monkeypatch.setattr(sys, "argv", options)
    generate.main()
    return pd.read_parquet(f"data/captions/tiny-{'ft' if adapter else 'pt'}.parquet")


def save_adapter(family: str, folder: Path, seed: int = 0) -> None:
    """Saves an adapter that changes captions: LoRA's second matrix, zero before training, is random."""
    torch.manual_seed(seed)
    captioner = apply_lora(load("data/models/tiny", family, torch.float32), "all-linear", 4, 64, 0.0, True)
    for name, parameter in captioner.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    captioner.model.save_pretrained(folder)


def change_params(old: str, new: str) -> None:
    params = Path("params.yaml")
    assert old in params.read_text()
    params.write_text(params.read_text().replace(old, new))
