"""Sentence models of a folder: the vectors of sentence-transformers, independent of order, and what is refused."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from features import sentences
from pipeline.core.errors import UserError
from tests.helpers.sentence_models import TEXTS, WIDTH, save_bert, save_model

TOLERANCE = {"atol": 1e-6, "rtol": 0}


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data/models/ in the working directory; no model is loaded yet."""
    monkeypatch.chdir(tmp_path)
    sentences.load_sentence_model.cache_clear()
    (tmp_path / "data/models").mkdir(parents=True)
    return tmp_path / "data/models"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("connects to a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def encode_directly(folder: Path, texts: list[str]) -> np.ndarray:
    """Return what the library itself answers."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True).encode(texts)


def encode_by_hand(folder: Path, text: str, pooling: str, longest: int) -> np.ndarray:
    """Compute a text's vector from BERT's token vectors, without padding."""
    from transformers import AutoTokenizer, BertModel

    tokenizer, bert = AutoTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        tokens = tokenizer([text], truncation=True, max_length=longest, return_tensors="pt")
        states = bert(**tokens).last_hidden_state[0]  # (tokens, width)
    pooled = {"mean": states.mean(0), "cls": states[0], "lasttoken": states[-1]}[pooling]
    return pooled.numpy()


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize("normalised", [True, False])
def test_vectors_are_pooled_normalised_and_truncated_as_the_files_say(
    models: Path, pooling: str, normalised: bool
) -> None:
    folder = save_model(models / "small", pooling, normalised, longest=8)
    vectors = sentences.encode(TEXTS, "small", batch_size=3)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, encode_directly(folder, TEXTS), **TOLERANCE)
    for vector, text in zip(vectors, TEXTS, strict=True):
        expected = encode_by_hand(folder, text, pooling, longest=8)
        expected = expected / np.linalg.norm(expected) if normalised else expected
        np.testing.assert_allclose(vector, expected, atol=1e-5)
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.allclose(lengths, 1, atol=1e-5) == normalised


def test_several_poolings_and_a_dense_layer(models: Path) -> None:
    folder = save_model(models / "small", ("cls", "mean"), normalised=False, dense=5)
    vectors = sentences.encode(TEXTS, "small")
    assert vectors.shape == (len(TEXTS), 5)
    np.testing.assert_allclose(vectors, encode_directly(folder, TEXTS), **TOLERANCE)


@pytest.mark.parametrize(
    ("prompts", "default", "expected"),
    [
        ({"query": "query: ", "passage": "passage: "}, None, "passage: "),
        ({"query": "query: ", "document": "text: "}, "query", "text: "),
        ({"style": "in style: "}, "style", "in style: "),
        ({"query": "query: ", "document": ""}, "query", "query: "),
        ({"query": "query: "}, None, ""),
    ],
)
def test_texts_get_the_prompt_for_documents_or_the_default_one(
    models: Path, prompts: dict[str, str], default: str | None, expected: str
) -> None:
    folder = save_model(models / "small", prompts=prompts, default_prompt_name=default)
    plain = save_model(models / "plain")
    vectors = sentences.encode(TEXTS, "small")
    np.testing.assert_allclose(vectors, encode_directly(plain, [expected + text for text in TEXTS]), **TOLERANCE)
    if default and not prompts.get("document"):
        np.testing.assert_allclose(vectors, encode_directly(folder, TEXTS), **TOLERANCE)


def test_vectors_do_not_depend_on_the_order_of_the_texts_or_on_repetition(models: Path) -> None:
    save_model(models / "small")
    vectors = sentences.encode(TEXTS, "small", batch_size=2)
    np.testing.assert_array_equal(vectors[2], vectors[4])
    np.testing.assert_array_equal(sentences.encode(TEXTS[::-1], "small", batch_size=2), vectors[::-1])
    np.testing.assert_array_equal(sentences.encode([*TEXTS, *TEXTS], "small", batch_size=2)[len(TEXTS) :], vectors)
    np.testing.assert_allclose(sentences.encode(TEXTS, "small", batch_size=7), vectors, **TOLERANCE)


def test_no_texts_have_the_models_dimension(models: Path) -> None:
    save_model(models / "small", ("cls", "mean"))
    assert sentences.encode([], "small").shape == (0, 2 * WIDTH)
    assert sentences.encode([]).shape == (0, 384)


def test_weights_in_bf16_give_float32_vectors(models: Path) -> None:
    save_model(models / "small")
    vectors = sentences.encode(TEXTS, "small", precision="bf16")
    assert sentences.load_sentence_model("small", "cpu", "bf16").dtype == torch.bfloat16
    assert vectors.dtype == np.float32
    exact = sentences.encode(TEXTS, "small")
    assert 0 < np.abs(vectors - exact).max() < 0.05


def test_a_transformer_alone_is_pooled_by_the_mean(models: Path) -> None:
    save_bert(models / "small")
    vectors = sentences.encode(TEXTS, "small")
    for vector, text in zip(vectors, TEXTS, strict=True):
        np.testing.assert_allclose(vector, encode_by_hand(models / "small", text, "mean", longest=64), atol=1e-5)


def test_a_model_of_a_folder_needs_no_network(models: Path, no_network: None) -> None:
    save_model(models / "small")
    assert sentences.encode(TEXTS, "small").shape == (len(TEXTS), WIDTH)
    assert sentences.encode(["a hat"]).shape == (1, 384)


def test_pickled_weights_are_refused(models: Path) -> None:
    folder = save_model(models / "small", dense=5)
    torch.save({}, folder / "pytorch_model.bin")
    sentences.encode(TEXTS, "small")  # beside safetensors they are not read
    sentences.load_sentence_model.cache_clear()
    dense = next(folder.glob("*_Dense"))
    torch.save({}, dense / "pytorch_model.bin")
    (dense / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"_Dense: pickled weights \(\*\.bin\) are refused"):
        sentences.encode(TEXTS, "small")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"small: pickled weights \(\*\.bin\) are refused"):
        sentences.encode(TEXTS, "small")


def test_weights_that_are_missing_are_an_error(models: Path) -> None:
    folder = save_model(models / "small")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="small: cannot load a sentence model"):
        sentences.encode(TEXTS, "small")


CODE = """
from pathlib import Path
Path("code-was-run").touch()
from sentence_transformers.base.modules import Normalize as Own
from transformers import BertConfig, BertModel
class OwnConfig(BertConfig):
    model_type = "own"
class OwnModel(BertModel):
    config_class = OwnConfig
"""


def test_code_of_a_module_is_never_run(models: Path) -> None:
    folder = save_model(models / "small")
    (folder / "own.py").write_text(CODE)
    modules = json.loads((folder / "modules.json").read_text())
    modules[-1]["type"] = "own.Own"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match=r"modules\.json: type own\.Own: only modules of sentence-transformers itself"):
        sentences.encode(TEXTS, "small")
    assert not Path("code-was-run").exists()


def test_code_of_a_transformer_is_never_run(models: Path) -> None:
    folder = save_model(models / "small")
    (folder / "own.py").write_text(CODE)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="small: cannot load a sentence model"):
        sentences.encode(TEXTS, "small")
    assert not Path("code-was-run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("5", "expected a list of modules"),
        ('[{"idx": 0}]', "expected a list of modules"),
        ('[{"type": "sentence_transformers.models.Transformer", "path": "../other"}]', r"path '\.\./other' leaves"),
    ],
)
def test_a_damaged_list_of_modules_is_named(models: Path, text: str, message: str) -> None:
    folder = save_model(models / "small")
    (folder / "modules.json").write_text(text)
    with pytest.raises(UserError, match=rf"modules\.json: {message}"):
        sentences.encode(TEXTS, "small")


def test_a_module_without_its_settings_is_refused(models: Path) -> None:
    """The library would pool by its default."""
    folder = save_model(models / "small", "cls")
    shutil.rmtree(folder / "1_Pooling")
    with pytest.raises(UserError, match=r"small: no 1_Pooling/config\.json, which modules\.json names"):
        sentences.encode(TEXTS, "small")


def test_an_unknown_model_is_refused_with_the_nearest_name(models: Path) -> None:
    save_bert(models / "small")
    with pytest.raises(UserError, match=r"smal: no model here; .*did you mean small\?"):
        sentences.encode(TEXTS, "smal")


# MiniLM


def test_minilm_is_what_the_library_and_a_computation_by_hand_give() -> None:
    texts = [*TEXTS, "word " * 400]
    vectors = sentences.encode(texts)
    assert vectors.shape == (len(texts), 384)
    np.testing.assert_allclose(vectors, encode_directly(sentences.minilm_folder(), texts), **TOLERANCE)
    for vector, text in zip(vectors, texts, strict=True):
        mean = encode_by_hand(sentences.minilm_folder(), text, "mean", longest=256)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), **TOLERANCE)


def test_minilm_is_fp32_whatever_the_precision() -> None:
    np.testing.assert_array_equal(sentences.encode(["a hat"], precision="bf16"), sentences.encode(["a hat"]))


def test_other_files_of_minilm_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(sentences.minilm_folder(), folder)
    sentences.check_minilm(folder)
    for name in ("config.json", "1_Pooling/config.json"):
        text = (folder / name).read_text()
        (folder / name).write_text(text + " ")
        with pytest.raises(UserError, match=rf"{name}: expected sha256 .*pip install --force-reinstall"):
            sentences.check_minilm(folder)
        (folder / name).write_text(text)
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match="no such file"):
        sentences.check_minilm(folder)
