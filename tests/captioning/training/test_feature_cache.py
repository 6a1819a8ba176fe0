"""Frozen features: they change no loss, are computed once, whole or absent, and shared by processes and runs."""

import fcntl
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from captioning.modelling import DTYPES, Captioner, apply_lora, load
from captioning.train import IMAGES, ITEMS
from captioning.training import feature_cache
from captioning.training.examples import CaptionedImages, caches_features, load_splits, make_collator, read_split
from captioning.training.loss import count_supervised, sum_loss
from captioning.training.settings import Params
from catalogue.prepared.images import ImageStore
from pipeline.core.params import read

FAMILIES = ["blip2_opt", "blip2_t5"]
MODEL = Path("data/models/tiny")
Project = Callable[..., Path]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "SHARD_ITEMS", 10)  # 24 + 8 items of the project: four shards
    monkeypatch.setattr(feature_cache, "IMAGES_AT_ONCE", 4)


def load_tuned(family: str, layers: Any = "all-linear", scope: Any = "language") -> Captioner:
    captioner = load(MODEL, family, torch.float32)
    torch.manual_seed(0)
    return apply_lora(captioner, layers, 4, 8, 0.1, True, scope)


def load_features(family: str = "blip2_opt", captioner: Captioner | None = None) -> feature_cache.FrozenFeatures:
    """Loads the features of all items with a description, under ./checkpoints."""
    ids = sorted([*read_split(ITEMS, "train")["item_id"], *read_split(ITEMS, "validation")["item_id"]])
    return feature_cache.load_features(
        captioner or load_tuned(family), MODEL, ImageStore(IMAGES), IMAGES, ids, Path("checkpoints")
    )


def list_shards() -> list[Path]:
    return sorted(Path("checkpoints").glob("features-*/*.safetensors"))


def compute_losses(captioner: Captioner, data: CaptionedImages) -> list[float]:
    """Computes the losses of six steps with dropout in the language model and in LoRA, from equal seeds."""
    captioner.model.train()
    trained = [weights for weights in captioner.model.parameters() if weights.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.01)
    values = []
    for step in range(6):
        torch.manual_seed(step)
        batch = make_collator(captioner.pad_id)([data[row] for row in range(step * 4, step * 4 + 4)])
        loss = sum_loss(captioner, captioner.model, batch) / count_supervised(batch["labels"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_without_the_cache(family: str, tiny_project: Project) -> None:
    tiny_project(family)
    features, items, store = load_features(family), read_split(ITEMS, "train"), ImageStore(IMAGES)
    cached, expected = [
        compute_losses(captioner, CaptionedImages(captioner, store, items, torch.float32, chosen))
        for chosen in (features, None)
        for captioner in [load_tuned(family)]
    ]
    assert cached == pytest.approx(expected, rel=1e-6)
    assert len(set(cached)) == 6
    assert get_language_dropout(load_tuned(family)) > 0


def get_language_dropout(captioner: Captioner) -> float:
    text = captioner.text_config
    return text.dropout if hasattr(text, "dropout") else text.dropout_rate


@pytest.mark.parametrize("family", FAMILIES)
def test_an_item_has_the_features_of_its_own_image(family: str, tiny_project: Project) -> None:
    tiny_project(family)
    features, captioner, store = load_features(family), load_tuned(family), ImageStore(IMAGES)
    captioner.model.train()  # which must not reach the Q-Former's dropout
    for item in store.ids[:32]:
        alone = captioner.family.prepare_images(captioner, [store[item]])[0]
        expected = captioner.family.compute_frozen_features(captioner, alone)
        torch.testing.assert_close(features[item]["features"], expected, rtol=1e-5, atol=1e-5)
    assert len(features) == 32


@pytest.mark.parametrize("family", FAMILIES)
def test_captions_from_features_are_those_from_images(family: str, tiny_project: Project) -> None:
    tiny_project(family)
    features, captioner, store = load_features(family), load_tuned(family), ImageStore(IMAGES)
    images = captioner.family.prepare_images(captioner, [store[item] for item in store.ids[:8]])
    from_images = captioner.family.generate(captioner, images, 6)
    assert captioner.family.generate(captioner, [features[item] for item in store.ids[:8]], 6) == from_images


def test_in_bf16_features_are_bf16(tiny_project: Project) -> None:
    tiny_project("blip2_opt")
    captioner = load(MODEL, "blip2_opt", DTYPES["bf16"])
    store = ImageStore(IMAGES)
    features = feature_cache.load_features(captioner, MODEL, store, IMAGES, store.ids[:5], Path("checkpoints"))
    assert features[store.ids[4]]["features"].dtype == torch.bfloat16


def test_the_second_run_computes_nothing(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("blip2_opt")
    load_features()
    assert [path.name for path in list_shards()] == [f"0000{number}.safetensors" for number in range(4)]
    monkeypatch.setattr(feature_cache, "_compute_shard", lambda *args: pytest.fail("computed again"))
    load_features()


class KilledError(Exception):
    """Ends a run as a kill would."""


def test_after_a_kill_only_the_missing_shards_are_computed(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of the third shard: two whole shards stay."""
    tiny_project("blip2_opt")
    expected = {path.name: path.read_bytes() for path in move_shards("whole")}
    batches, compute, computed = feature_cache._prepare_batches, feature_cache._compute_shard, []

    def stop_in_third(captioner: Any, store: Any, ids: list[str]) -> Iterator[Any]:
        for number, batch in enumerate(batches(captioner, store, ids)):
            if ids[0].endswith("20") and number:
                raise KilledError
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(feature_cache, "_prepare_batches", stop_in_third)
        with pytest.raises(KilledError):
            load_features()
    assert [path.name for path in list_shards()] == ["00000.safetensors", "00001.safetensors"]
    monkeypatch.setattr(feature_cache, "_compute_shard", lambda *args: computed.append(args[2].name) or compute(*args))
    load_features()
    assert computed == ["00002.safetensors", "00003.safetensors"]
    assert {path.name: path.read_bytes() for path in list_shards()} == expected


def move_shards(name: str) -> list[Path]:
    """Computes all shards and moves them away."""
    load_features()
    Path("checkpoints").rename(name)
    return sorted(Path(name).glob("features-*/*.safetensors"))


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_a_damaged_shard_is_named_and_computed_again(
    tiny_project: Project, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    tiny_project("blip2_opt")
    load_features()
    path = list_shards()[1]
    data = path.read_bytes()
    bad = {"cut": data[:-100], "changed": data[:-1] + bytes([data[-1] ^ 1]), "emptied": b""}[damage]
    path.write_bytes(bad)
    load_features()
    assert path.read_bytes() == data
    assert f"{path} is damaged" in caplog.text
    assert caplog.text.count("damaged") == 1


def compute_in_a_process(folder: Path, barrier: Any, computed: Any) -> None:
    os.chdir(folder)
    feature_cache.SHARD_ITEMS, feature_cache.IMAGES_AT_ONCE = 3, 3
    torch.set_num_threads(1)
    compute = feature_cache._compute_shard
    feature_cache._compute_shard = lambda *args: (computed.put((os.getpid(), args[2].name)), compute(*args))[1]
    captioner, store = load(MODEL, "blip2_opt", torch.float32), ImageStore(IMAGES)
    barrier.wait()
    features = feature_cache.load_features(captioner, MODEL, store, IMAGES, store.ids, Path("checkpoints"))
    assert len(features) == len(store.ids)


def test_a_second_process_computes_the_other_shards(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once (threads here: these locks belong to open files, not to processes): no shard is computed twice."""
    tiny_project("blip2_opt")
    computed, compute, both = [], feature_cache._compute_shard, threading.Barrier(2)

    def recorded(*args: Any) -> None:
        if args[2].stem in ("00000", "00001"):
            both.wait(30)  # broken unless the second begins another shard while the first is at work
        computed.append(args[2].stem)
        compute(*args)

    monkeypatch.setattr(feature_cache, "_compute_shard", recorded)
    captioners = [load_tuned("blip2_opt") for _ in range(2)]  # loading is not for several threads
    with ThreadPoolExecutor(2) as pool:
        both_features = list(pool.map(lambda captioner: load_features("blip2_opt", captioner), captioners))
    assert sorted(computed) == ["00000", "00001", "00002", "00003"]
    assert [len(features) for features in both_features] == [32, 32]


@pytest.mark.slow
def test_two_processes_share_the_work(tiny_project: Project) -> None:
    """No shard is computed twice, and both end with all of them."""
    folder = tiny_project("blip2_opt")
    context = multiprocessing.get_context("spawn")
    barrier, computed = context.Barrier(2), context.Queue()
    processes = [context.Process(target=compute_in_a_process, args=(folder, barrier, computed)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=300)
    assert [process.exitcode for process in processes] == [0, 0]
    rows = [computed.get() for _ in range(computed.qsize())]
    assert sorted(name for _, name in rows) == [f"{number:05d}.safetensors" for number in range(13)]  # 38 items
    assert len({pid for pid, _ in rows}) == 2


def change_images() -> None:
    path = IMAGES / "00000.parquet"
    path.write_bytes(path.read_bytes() + b" ")


def change_weights() -> None:
    path = MODEL / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


@pytest.mark.parametrize("change", [change_images, change_weights])
def test_what_features_depend_on_is_in_the_key(tiny_project: Project, change: Callable[[], None]) -> None:
    tiny_project("blip2_opt")
    captioner = load_tuned("blip2_opt")
    before = feature_cache.make_key(captioner, MODEL, IMAGES, ["1", "2"])
    assert feature_cache.make_key(load_tuned("blip2_opt", "query-value"), MODEL, IMAGES, ["1", "2"]) == before
    assert feature_cache.make_key(load(MODEL, "blip2_opt", torch.bfloat16), MODEL, IMAGES, ["1", "2"]) != before
    assert feature_cache.make_key(captioner, MODEL, IMAGES, ["1", "3"]) != before
    change()
    assert feature_cache.make_key(captioner, MODEL, IMAGES, ["1", "2"]) != before


def test_features_are_not_kept_where_the_vision_side_learns(tiny_project: Project) -> None:
    project = tiny_project("blip2_opt")
    params = read(Params)
    section = params.caption_train
    captioner = load_tuned("blip2_opt")
    assert caches_features(captioner, params)
    for change in ({"lora_scope": "all"}, {"cache_features": False}):
        changed = params.model_copy(update={"caption_train": section.model_copy(update=change)})
        assert not caches_features(captioner, changed)
    training, validation = load_splits(captioner, MODEL, ITEMS, IMAGES, params, project / "root" / "run")
    assert training.features is not None
    assert training.features is validation.features
    assert list((project / "root").glob("features-*/*.safetensors"))


def test_llava_is_not_cached(tiny_project: Project) -> None:
    project = tiny_project("llava")
    captioner = load(MODEL, "llava", torch.float32)
    training, _ = load_splits(captioner, MODEL, ITEMS, IMAGES, read(Params), project / "root" / "run")
    assert training.features is None
    assert not (project / "root").exists()


def test_old_features_go_when_there_are_too_many(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the least recently used folder first, and never a folder in use."""
    tiny_project("blip2_opt")
    root = Path("checkpoints")
    for age, name in enumerate(["features-young", "features-old", "features-oldest-in-use"]):
        (root / name).mkdir(parents=True)
        (root / name / "00000.safetensors").write_bytes(b"x" * 100)
        os.utime(root / name, (1e9 - age, 1e9 - age))
    with open(root / "features-oldest-in-use" / "lock", "w") as lock:
        os.utime(root / "features-oldest-in-use", (1e9 - 9, 1e9 - 9))
        fcntl.flock(lock, fcntl.LOCK_SH)
        monkeypatch.setattr(feature_cache, "MAX_BYTES", 150)
        features = load_features()
    left = {path.name for path in root.glob("features-*") if path.is_dir()}
    assert left >= {"features-young", "features-oldest-in-use"}
    assert "features-old" not in left
    assert len(features) == 32


def test_features_in_use_are_not_removed(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("blip2_opt")
    monkeypatch.setattr(feature_cache, "MAX_BYTES", 0)
    store = ImageStore(IMAGES)

    def of(ids: list[str]) -> feature_cache.FrozenFeatures:
        return feature_cache.load_features(load_tuned("blip2_opt"), MODEL, store, IMAGES, ids, Path("checkpoints"))

    first = of(store.ids[:3])
    second = of(store.ids[:4])
    assert len({path.parent for path in list_shards()}) == 2
    del first, second
    of(store.ids[:5])
    assert len({path.parent for path in list_shards()}) == 1


def test_features_are_mapped_not_read(tiny_project: Project) -> None:
    """Features share the file's pages: a copy would have another address for each access."""
    tiny_project("blip2_opt")
    features = load_features()
    ids = sorted(read_split(ITEMS, "train")["item_id"])
    first, again, other = features[ids[0]]["features"], features[ids[0]]["features"], features[ids[1]]["features"]
    assert first.data_ptr() == again.data_ptr()
    assert other.data_ptr() - first.data_ptr() == first.nbytes
    maps = Path("/proc/self/maps").read_text()
    assert str(list_shards()[0].resolve()) in maps
