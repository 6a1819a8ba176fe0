"""Captions and features on a real Ray cluster of two nodes: the bytes of one process."""

import shutil
import time
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

import captioning.features
from catalogue.prepared.images import ImageStore, pack_images
from catalogue.prepared.views import name_view
from tests.helpers.encoded import encode
from tests.helpers.full import full
from tests.helpers.generation import Project, change_params, run_stage, save_adapter
from tests.helpers.ray_nodes import Nodes, needs_ray

pytestmark = needs_ray


@pytest.mark.parametrize(
    "family", ["llava", pytest.param("blip2_opt", marks=full), pytest.param("blip2_t5", marks=full)]
)
def test_two_nodes_write_the_captions_of_one_process(
    two_nodes: Nodes, tiny_project: Project, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """Those of an adapter, and of each of its epochs."""
    tiny_project(family, {"caption_generate.batch_size": 1, "machine.threads": 1})
    for name in ("adapter/epochs/1", "adapter/epochs/2", "adapter"):
        save_adapter(family, Path(name), seed=len(name))
    run_stage(monkeypatch, family, "adapter")
    expected = read_all("data/captions")
    assert len(expected) == 3
    shutil.rmtree("data/captions")
    change_params("cluster: none", "cluster: ray")
    run_stage(monkeypatch, family, "adapter")
    assert read_all("data/captions") == expected
    assert list(Path(".checkpoints").iterdir()) == []


def test_a_node_that_is_killed_changes_no_caption(
    two_nodes: Nodes, tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project("llava", {"caption_generate.batch_size": 1, "machine.threads": 1})
    run_stage(monkeypatch, "llava")
    expected = read_all("data/captions")
    shutil.rmtree("data/captions")
    change_params("cluster: none", "cluster: ray")
    killed = Thread(target=kill_after_two_batches, args=(two_nodes, two_nodes.join(5)))
    two_nodes.wait(3)
    killed.start()
    run_stage(monkeypatch, "llava")
    killed.join()
    assert read_all("data/captions") == expected


def kill_after_two_batches(nodes: Nodes, name: str) -> None:
    end = time.monotonic() + 300
    while len(list(Path(".checkpoints").rglob("*.safetensors"))) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    nodes.kill(name)


def test_two_nodes_extract_the_features_of_one_process(
    two_nodes: Nodes, tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_features(tiny_project, monkeypatch)
    expected = read_all("data/features")
    assert len(expected) >= 4
    shutil.rmtree("data/features")
    change_params("cluster: none", "cluster: ray")
    captioning.features.main()
    assert read_all("data/features") == expected


def test_two_nodes_average_the_pictures_of_an_item_as_one_process(
    two_nodes: Nodes, tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_features(tiny_project, monkeypatch)
    of_one_picture = read_all("data/features")
    add_further_pictures(Path("data/prepared/images"))
    captioning.features.main()
    expected = read_all("data/features")
    assert len({path for path, content in expected.items() if of_one_picture[path] != content}) >= 2
    shutil.rmtree("data/features")
    change_params("cluster: none", "cluster: ray")
    captioning.features.main()
    assert read_all("data/features") == expected


def extract_features(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stage in one process, four items a file."""
    tiny_project(
        "blip2_opt", {"caption_features.captioner": "tiny", "caption_features.batch_size": 4, "machine.threads": 1}
    )
    monkeypatch.setattr("features.shards.SHARD_ITEMS", 4)
    captioning.features.main()


def add_further_pictures(folder: Path) -> None:
    """Give every third item a second picture, that of the item before it, and pack all anew."""
    store = ImageStore(folder)
    pictures = {item: encode(store[item]) for item in store.ids}
    items = list(pictures)
    second = {name_view(item, 2): pictures[before] for before, item in pairwise(items) if items.index(item) % 3 == 0}
    shutil.rmtree(folder)
    folder.mkdir()
    pack_images(folder, {name: name for name in [*items, *second]}, (pictures | second).__getitem__, 32)


def read_all(folder: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
