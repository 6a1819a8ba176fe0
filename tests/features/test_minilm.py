import shutil
from pathlib import Path

import numpy as np
import pytest

from features import minilm
from pipeline.core.errors import UserError

TEXTS = ["a red shirt", "", "Long, ribbed jumper in a soft wool blend.", "a red shirt", "word " * 400, "crêpe & bouclé"]


def test_equals_sentence_transformers() -> None:
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(minilm.folder()), device="cpu").encode(TEXTS)
    vectors = minilm.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (6, minilm.DIMENSION)
    np.testing.assert_allclose(vectors, peer, atol=1e-5)


def test_a_text_has_its_vector_wherever_it_stands() -> None:
    vectors = minilm.encode(TEXTS)
    assert np.array_equal(vectors[0], vectors[3])
    assert np.array_equal(minilm.encode(TEXTS[::-1]), vectors[::-1])
    np.testing.assert_allclose(minilm.encode(TEXTS, batch_size=2), vectors, atol=1e-5)


def test_vectors_have_length_one() -> None:
    np.testing.assert_allclose(np.linalg.norm(minilm.encode(TEXTS), axis=1), 1, atol=1e-5)


def test_no_text() -> None:
    assert minilm.encode([]).shape == (0, minilm.DIMENSION)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    for name in minilm.SHA256:
        shutil.copy(minilm.folder() / name, tmp_path / name)
    minilm.check(tmp_path)
    with (tmp_path / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(UserError, match=r"config.json: expected sha256 .*pip install --force-reinstall"):
        minilm.check(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(UserError, match="no such file"):
        minilm.check(tmp_path)
