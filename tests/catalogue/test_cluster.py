"""Pictures packed by a real Ray cluster of two nodes: the bytes of one process, and its message."""

import shutil
import zipfile
from pathlib import Path

import pytest

from catalogue import prepare
from catalogue.prepared import images
from catalogue.prepared.images import ImageStore
from catalogue.prepared.views import name_view
from pipeline.core.errors import UserError
from tests.catalogue.conftest import WriteParams
from tests.helpers.ray_nodes import Nodes, needs_ray
from tests.helpers.wild_shop import write_pictures, write_shop

pytestmark = needs_ray
RAY = {"cluster": "ray", "threads": 1}


def test_two_nodes_pack_the_pictures_of_one_process(
    two_nodes: Nodes, shop: Path, study: WriteParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "SHARD_ITEMS", 20)
    prepare.main()
    expected = read_prepared()
    assert len([path for path in expected if path.parent.name == "images"]) > 3
    shutil.rmtree("data/prepared")
    study(machine=RAY)
    prepare.main()
    assert read_prepared() == expected
    assert list(Path(".checkpoints").iterdir()) == []


def test_two_nodes_pack_the_further_pictures_of_one_process(
    two_nodes: Nodes, study: WriteParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "SHARD_ITEMS", 20)
    shop = Path("data/raw/wild")
    rows = write_shop(shop)
    write_pictures(shop, rows[5:15], lambda row: f"{row['item_id']}-2.jpg")
    section = {"images": "all"}
    study(dataset="wild", catalogue_prepare=section)
    prepare.main()
    expected = read_prepared()
    assert name_view("A005", 2) in ImageStore(Path("data/prepared/images"))
    assert (
        len([path for path in expected if path.suffix == ".parquet" and path.parent.name == "images"]) == 3
    )  # 40 first pictures, 10 further ones
    shutil.rmtree("data/prepared")
    study(dataset="wild", catalogue_prepare=section, machine=RAY)
    prepare.main()
    assert read_prepared() == expected


def test_a_picture_that_a_node_refuses_is_named(
    two_nodes: Nodes, shop: Path, study: WriteParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "SHARD_ITEMS", 20)
    with zipfile.ZipFile(shop / "images.zip") as archive:
        archive.extractall(shop)
    (shop / "images.zip").unlink()
    victim = sorted(shop.rglob("*.jpg"))[25]
    victim.write_bytes(victim.read_bytes()[:-200])
    study(machine=RAY)
    with pytest.raises(UserError, match=rf"^data/raw/.*{victim.name}: .*truncated"):
        prepare.main()
    assert not Path("data/prepared").exists()


def read_prepared() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path("data/prepared").rglob("*") if path.is_file()}
