"""CLIPScore against a slow obvious implementation: one pair at a time, through CLIP's own logits."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import hmean
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel

from captioning.scores import clip_score
from captioning.scores.clip_score import clip_scores
from catalogue.prepared.images import ImageStore, pack_images
from pipeline import checkpoints
from pipeline.core.errors import UserError

CLIP = Path(__file__).parents[3] / "data" / "models" / "tiny-clip"
ITEMS = [f"{number:010}" for number in range(5)]
REFERENCES = {
    item: [f"a {colour} dress", f"{colour} skirt, long"]
    for item, colour in zip(ITEMS, ("red", "blue", "green", "white", "black"), strict=True)
}
PAIRS = [
    (ITEMS[0], "a red dress"), (ITEMS[1], "a red dress"), (ITEMS[1], "blue trousers with pockets"), (ITEMS[2], ""),
    (ITEMS[3], "word " * 300), (ITEMS[4], "…|||\n\té 👗"), (ITEMS[0], "a red dress"),
]  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    """Five pictures of plain colours with some noise, not square."""
    random, jpegs = np.random.default_rng(0), {}
    for item, colour in zip(ITEMS, [(200, 0, 0), (0, 0, 200), (0, 160, 0), (240, 240, 240), (10, 10, 10)], strict=True):
        picture = (np.array(colour) * random.uniform(0.6, 1, (90, 60, 1))).astype(np.uint8)
        jpeg = io.BytesIO()
        Image.fromarray(picture).save(jpeg, "JPEG")
        jpegs[item] = jpeg.getvalue()
    folder = tmp_path_factory.mktemp("images")
    pack_images(folder, {item: item for item in ITEMS}, jpegs.__getitem__, 256)
    return ImageStore(folder)


@torch.no_grad()
def slow(item: str, caption: str, images: ImageStore) -> tuple[float, float]:
    """Compute equations 1 and 2 of Hessel et al. 2021."""
    model = CLIPModel.from_pretrained(CLIP, dtype=torch.float32).eval()
    tokenizer, processor = AutoTokenizer.from_pretrained(CLIP), CLIPImageProcessorPil.from_pretrained(CLIP)
    longest = model.config.text_config.max_position_embeddings
    texts = [f"A photo depicts {text}" for text in (caption, *REFERENCES[item])]
    out = []
    for text in texts:
        tokens = tokenizer([text], truncation=True, max_length=longest, return_tensors="pt")
        output = model(**tokens, pixel_values=processor([images[item]], return_tensors="pt")["pixel_values"])
        out.append((output.logits_per_image.item() / model.logit_scale.exp().item(), output.text_embeds[0]))
    to_picture = 2.5 * max(out[0][0], 0)
    to_reference = max(0.0, *(float(out[0][1] @ reference) for _, reference in out[1:]))
    return to_picture, (hmean([to_picture, to_reference]) if to_picture and to_reference else 0.0)


def test_equals_the_definition_one_pair_at_a_time(images: ImageStore) -> None:
    table = clip_scores(PAIRS, REFERENCES, images, CLIP)
    assert list(table.columns) == ["clip_score", "ref_clip_score"]
    np.testing.assert_allclose(table, [slow(item, caption, images) for item, caption in PAIRS], atol=1e-5)
    assert np.ptp(table["clip_score"]) > 0.05  # not all the same
    assert table.iloc[0].equals(table.iloc[6])


def test_batches_and_shards_change_nothing(images: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = clip_scores(PAIRS, REFERENCES, images, CLIP)
    monkeypatch.setattr(clip_score, "BATCH", 2)
    monkeypatch.setattr(clip_score, "SHARD", 3)
    np.testing.assert_allclose(clip_scores(PAIRS, REFERENCES, images, CLIP), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("cosines", "expected"), [((-0.4, 0.8), (0, 0)), ((0.2, -0.3), (0.5, 0)), ((0.2, 0.5), (0.5, 0.5))]
)
def test_negative_cosines_count_as_zero(
    images: ImageStore, monkeypatch: pytest.MonkeyPatch, cosines: tuple[float, float], expected: tuple[float, float]
) -> None:
    """In the plane: the caption points along x; picture and reference have these cosines with it."""
    planes = {
        name: np.array([cosine, np.sqrt(1 - cosine**2)])
        for name, cosine in zip(("picture", "reference"), cosines, strict=True)
    }

    def encode_images(names: list[str]) -> np.ndarray:
        return np.array([planes["picture"] for _ in names])

    def encode_texts(texts: list[str]) -> np.ndarray:
        return np.array([planes.get(text, np.array([1.0, 0.0])) for text in texts])

    monkeypatch.setattr(clip_score, "load_encoders", lambda *_: (encode_images, encode_texts))
    table = clip_scores([(ITEMS[0], "caption")], {ITEMS[0]: ["reference"]}, images, CLIP)
    assert table.iloc[0].tolist() == pytest.approx(expected)


def test_embeddings_are_stored_and_damaged_ones_made_again(images: ImageStore, tmp_path: Path) -> None:
    expected = clip_scores(PAIRS, REFERENCES, images, CLIP, work=tmp_path)
    shards = sorted(tmp_path.glob("clip-*.safetensors"))
    assert len(shards) == 2  # pictures, texts
    before = [path.stat().st_mtime_ns for path in shards]
    assert clip_scores(PAIRS, REFERENCES, images, CLIP, work=tmp_path).equals(expected)
    assert [path.stat().st_mtime_ns for path in shards] == before
    shards[0].write_bytes(shards[0].read_bytes()[:-1])
    assert clip_scores(PAIRS, REFERENCES, images, CLIP, work=tmp_path).equals(expected)


def test_stored_embeddings_are_used(images: ImageStore, tmp_path: Path) -> None:
    """Zeroed on disk, they give zero."""
    clip_scores(PAIRS, REFERENCES, images, CLIP, work=tmp_path)
    for path in tmp_path.glob("clip-*.safetensors"):
        vectors = checkpoints.load_part(path)[0]["vectors"]
        checkpoints.save(path, {"vectors": 0 * vectors}, {})
    assert (clip_scores(PAIRS, REFERENCES, images, CLIP, work=tmp_path) == 0).all().all()


def test_what_cannot_be_scored_is_refused(images: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 of 1 items have no picture, first 0000000099"):
        clip_scores([("0000000099", "a dress")], {"0000000099": ["a dress"]}, images, CLIP)
    with pytest.raises(UserError, match="no-clip: no model here"):
        clip_scores(PAIRS, REFERENCES, images, tmp_path / "no-clip")
    with pytest.raises(UserError, match=r"tiny-llava: (not a|no|cannot load a) CLIP"):
        clip_scores(PAIRS, REFERENCES, images, CLIP.parent / "tiny-llava")
